import { type Static, Type } from 'typebox'
import { isVisible } from '../../domain/comment/status.ts'
import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { decideMany } from '../../usecases/batches/decide-many.ts'
import { dryRunDecisions } from '../../usecases/batches/dry-run-decisions.ts'
import { decideComment } from '../../usecases/decisions/decide-comment.ts'
import { undoDecision } from '../../usecases/undo/undo-decision.ts'
import { presentBatchResponse, presentDryRun } from '../batches/present.ts'
import { BatchResult as BatchResultOnWire } from '../batches/schemas.ts'
import { readIfMatch } from '../edge/conditions.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite, threadVersion } from '../edge/responses.ts'
import { readCommentFilter } from '../queue/comment-filter.ts'
import { changingComment, readCommentKeys } from '../wire/comment-key.ts'
import { readSnapshot, writeSnapshot } from '../wire/cursors.ts'
import type { CursorKeys } from '../wire/keys.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentDecision } from './present.ts'
import { Decision, NewDecision, NewDecisions } from './schemas.ts'

const moderating = { tag: 'Moderation', credential: 'needed' } as const

const deciding = { ...moderating, query: op.NO_QUERY, limit: 'write', once: true } as const

const BATCH_ANSWERS = { 200: ref(BatchResultOnWire), 202: ref(BatchResultOnWire) }

const DECIDE_COMMENT = op.operation({
  ...moderating,
  id: 'decideComment',
  summary: 'Change the status of a comment',
  description:
    'Send the status and the `revision` you saw (or `If-Match`), and the new status as `to`; it returns ' +
    'the decision, or `decision_conflict` if either has changed. With `replies: same`, replies of the ' +
    'same status change too, and are published only if their text was public before.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: ref(NewDecision),
  answers: { 201: ref(Decision) },
  refusals: ['decision_conflict', 'move_not_allowed'],
  limit: 'write',
  once: true,
})

const DECIDE_MANY = op.operation({
  ...deciding,
  id: 'decideMany',
  summary: 'Change the status of many comments',
  description:
    'Applies one decision to listed comments, or to all that match a filter: up to 500 ' +
    'immediately (200, with an outcome for each), more as a batch (202). Comments with another ' +
    'status are skipped as `decision_conflict`, comments with another text as `changed_since`.',
  params: object(op.siteParams),
  body: ref(NewDecisions),
  answers: BATCH_ANSWERS,
  refusals: ['invalid_cursor', 'decision_conflict', 'move_not_allowed'],
})

const UNDO_DECISION = op.operation({
  ...deciding,
  id: 'undoDecision',
  summary: 'Undo a decision',
  description:
    'Restores the comment (and replies changed with it), the thread settings or the ban, unless ' +
    'something changed since or nothing would be restored (`decision_conflict`). The undo is itself ' +
    'a decision and can be undone.',
  params: object({ ...op.siteParams, id: Type.String({ description: 'The id of the decision.' }) }),
  body: op.NO_BODY,
  answers: { 201: ref(Decision) },
  refusals: ['decision_conflict', 'move_not_allowed'],
})

export const addDecisionRoutes = (app: Router, { context, keys }: Http): void => {
  app.post('/sites/:site/moderation/decisions', DECIDE_MANY, async (request, reply) => {
    const { site, ids, caller, body } = request
    assertScope(caller, 'moderate')
    const { to, reason = null, note = null, replies = 'keep' } = body
    const order = { to, reason, note, replies, ...readComments(request, keys().cursors) }
    const act = { site, moderator: caller, ...order, idempotencyKey: readIdempotencyKey(request) }
    if (body.dry_run) {
      const result = await dryRunDecisions(context, act)
      const asOf = writeSnapshot(keys().cursors, site.id, result.asOf)
      return sendPrivately(reply, { ...presentDryRun(ids, result), as_of: asOf })
    }
    const present = presentBatchResponse(ids)
    return sendWrite(reply, await decideMany(context, act, present))
  })

  app.post('/sites/:site/moderation/decisions/:id/undos', UNDO_DECISION, async (request, reply) => {
    const { site, ids, caller, params } = request
    assertScope(caller, 'moderate')
    const decisionId = known(ids.read('decision', params.id))
    const act = { site, moderator: caller, decisionId, idempotencyKey: readIdempotencyKey(request) }
    const answer = await undoDecision(context, act, ({ decision, version, restored }) => ({
      status: 201,
      headers: threadVersion(version),
      body: { ...presentDecision(ids, decision), restored },
    }))
    return sendWrite(reply, answer)
  })

  app.post('/sites/:site/comments/:id/decisions', DECIDE_COMMENT, async (request, reply) => {
    const { site, ids, caller, body } = request
    assertScope(caller, 'moderate')
    const { from, to, revision = readIfMatch(request), reason = null, note = null } = body
    const { replies = 'keep' } = body
    const move = { from, to, revision, reason, note, replies }
    const act = { site, moderator: caller, ...move, idempotencyKey: readIdempotencyKey(request) }
    const answer = await changingComment(context, request, (comment) =>
      decideComment(context, { ...act, comment }, ({ decision, version }) => ({
        status: 201,
        headers: threadVersion(version),
        body: presentDecision(ids, decision),
      })),
    )
    return sendWrite(reply, answer)
  })
}

const known = (id: number | undefined): number => {
  if (id === undefined) throw new Refusal('not_found')
  return id
}

type ManyRequest = {
  readonly site: Site
  readonly ids: PublicIds
  readonly body: Static<typeof NewDecisions>
}

/** Reads the comments of a request: as the moderator saw them, or a filter with its snapshot. */
const readComments = ({ site, ids, body }: ManyRequest, key: CursorKeys) => {
  const { comments: listed, filter, expected_count: expectedCount, as_of: asOf, to } = body
  if ((listed === undefined) === (filter === undefined))
    throw new Refusal('invalid_request', { '': 'must have either comments or filter' })
  const isPublishing = isVisible(to) && !body.dry_run
  if (listed) {
    const unseen = listed.findIndex(({ revision }) => isPublishing && revision === undefined)
    if (unseen >= 0)
      throw new Refusal('invalid_request', {
        [`/comments/${unseen}/revision`]: 'is required to publish a comment',
      })
    const found = readCommentKeys(
      ids,
      '/comments',
      listed.map(({ id }) => id),
    )
    return {
      comments: {
        listed: listed.map(({ from, revision }, i) => ({ key: found[i]!, from, revision })),
      },
      expectedCount,
    }
  }
  if (isPublishing && asOf === undefined)
    throw new Refusal('invalid_request', { '/as_of': 'is required to publish comments' })
  if (expectedCount === undefined && asOf === undefined && !body.dry_run)
    throw new Refusal('invalid_request', { '/expected_count': 'is required with a filter' })
  return {
    comments: {
      filter: readCommentFilter({ site, ids }, filter!, '/filter'),
      asOf: asOf === undefined ? undefined : readSnapshot(key, site.id, asOf),
    },
    expectedCount,
  }
}
