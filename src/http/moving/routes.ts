import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import type { Decided } from '../../usecases/decisions/decision-request.ts'
import { type Merged, mergeThreads } from '../../usecases/moving/merge-threads.ts'
import { moveComment } from '../../usecases/moving/move-comment.ts'
import { presentBatch } from '../batches/present.ts'
import { Batch } from '../batches/schemas.ts'
import { presentDecision } from '../decisions/present.ts'
import { Decision } from '../decisions/schemas.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendWrite, threadVersion, type WriteResponse } from '../edge/responses.ts'
import { changingComment } from '../wire/comment-key.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { NewMerge, NewMove } from './schemas.ts'

const moving = {
  tag: 'Moderation',
  credential: 'needed',
  query: op.NO_QUERY,
  answers: { 201: ref(Decision) },
  limit: 'write',
  once: true,
} as const

const MOVE_COMMENT = op.operation({
  ...moving,
  id: 'moveComment',
  summary: 'Move a comment and its replies',
  description:
    'Moves a branch of at most 5,000 comments to another thread, or to another parent in the same ' +
    'thread, even if a thread is closed or locked. Ids do not change and remain valid. Below a locked ' +
    'comment the branch is locked. Out of a hidden thread it needs `publish` (`move_not_allowed`).',
  params: object(op.commentParams),
  body: ref(NewMove),
  refusals: ['move_not_allowed', 'parent_not_found', 'depth_exceeded'],
})

const MERGE_THREADS = op.operation({
  ...moving,
  id: 'mergeThreads',
  summary: 'Merge a thread into another',
  description:
    "Moves all comments, with their ids and nesting, into another article's thread, and closes the " +
    'source. More than 5,000, at most 200,000, become a batch (202), which moves branch by branch. A target ' +
    'without comments takes title, URL and settings too. If readers would see comments of a hidden ' +
    'thread, it needs `publish` (`move_not_allowed`).',
  params: object(op.articleParams),
  body: ref(NewMerge),
  answers: { 201: ref(Decision), 202: ref(Batch) },
  refusals: ['move_not_allowed'],
})

export const addMovingRoutes = (app: Router, { context }: Http): void => {
  app.post('/sites/:site/comments/:id/moves', MOVE_COMMENT, async (request, reply) => {
    const { site, ids, caller: moderator, body } = request
    assertScope(moderator, 'moderate')
    const {
      article_id: articleId,
      parent_id: parent,
      publish = false,
      reason = null,
      note = null,
    } = body
    const isRoot = parent === undefined || parent === null
    const to = { articleId, parent: isRoot ? undefined : (ids.readComment(parent) ?? null) }
    const act = {
      site,
      moderator,
      ...to,
      publish,
      reason,
      note,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await changingComment(context, request, (comment) =>
      moveComment(context, { ...act, comment }, presentDecided(ids)),
    )
    return sendWrite(reply, answer)
  })

  app.post('/sites/:site/articles/:article_id/merges', MERGE_THREADS, async (request, reply) => {
    const { site, ids, caller: moderator, body, params } = request
    assertScope(moderator, 'moderate')
    const { into, publish = false, reason = null, note = null } = body
    const act = {
      articleId: params.article_id,
      into,
      publish,
      reason,
      note,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await mergeThreads(context, { site, moderator, ...act }, presentMerged(ids))
    return sendWrite(reply, answer)
  })
}

const presentDecided =
  (ids: PublicIds) =>
  ({ decision, version }: Decided): WriteResponse => ({
    status: 201,
    headers: threadVersion(version),
    body: presentDecision(ids, decision),
  })

const presentMerged =
  (ids: PublicIds) =>
  (merged: Merged): WriteResponse =>
    'batch' in merged
      ? { status: 202, headers: {}, body: presentBatch(ids, merged.batch) }
      : presentDecided(ids)(merged)
