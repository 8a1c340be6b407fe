import { assertScope, callerIdOf } from '../../domain/people/caller.ts'
import { decideComment } from '../../usecases/decisions/decide-comment.ts'
import { updateThread } from '../../usecases/decisions/update-thread.ts'
import { countQueue } from '../../usecases/queue/count-queue.ts'
import { listQueue, QUEUE_SORTS } from '../../usecases/queue/list-queue.ts'
import { listRevisions } from '../../usecases/queue/list-revisions.ts'
import {
  presentDecision,
  presentForModeration,
  presentModeratedThread,
  presentRevision,
} from '../comments/present.ts'
import { assertSorted, readCommentFilter } from '../decisions/comment-filter.ts'
import { CommentFilter } from '../decisions/schemas.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite, threadVersion } from '../edge/responses.ts'
import { ModeratedThread, ThreadChange } from '../threads/schemas.ts'
import { changingComment, withComment } from '../wire/comment-key.ts'
import {
  type Binding,
  readCursor,
  readIdCursor,
  writeCursor,
  writeIdCursor,
} from '../wire/cursors.ts'
import { readThreadFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { Decision, NewDecision, QueueCounts, QueuePage, RevisionsPage } from './schemas.ts'

const moderating = { tag: 'moderating', credential: 'needed' } as const

const LIST_QUEUE = op.operation({
  ...moderating,
  id: 'listQueue',
  summary: 'Comments that wait for a moderator',
  description:
    'In order of arrival, the most flagged first, or the riskiest first; any status can be asked for. A ' +
    'page looks at no more than some thousand comments for what is wanted, so it may have few items or ' +
    'none and a `next_cursor` all the same. `sort=risk` orders approved comments only with `flagged=true`.',
  params: object(op.siteParams),
  query: object({
    ...CommentFilter.properties,
    claimed: oneOf(['any', 'free', 'mine'], {
      default: 'any',
      description: 'Only what nobody has claimed, or what the caller has.',
    }),
    sort: oneOf(QUEUE_SORTS, { default: 'oldest', description: 'The order.' }),
    ...op.limitParam,
    ...op.cursorParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(QueuePage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const COUNT_QUEUE = op.operation({
  ...moderating,
  id: 'countQueue',
  summary: 'How many comments have each status',
  description: 'Of the whole site.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(QueueCounts) },
  limit: 'read',
})

const DECIDE_COMMENT = op.operation({
  ...moderating,
  id: 'decideComment',
  summary: 'Give a comment another status',
  description:
    '`from` is the status that the moderator saw: of two who saw the same, exactly one succeeds. ' +
    'With `replies: same`, what hangs below it and has the same status goes along.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: ref(NewDecision),
  answers: { 201: ref(Decision) },
  refusals: ['decision_conflict', 'move_not_allowed'],
  limit: 'write',
  once: true,
})

const LIST_REVISIONS = op.operation({
  ...moderating,
  id: 'listRevisions',
  summary: 'What a comment said before each edit',
  description: 'Latest first. What it says now is not among them.',
  params: object(op.commentParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(RevisionsPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const UPDATE_THREAD = op.operation({
  ...moderating,
  id: 'updateThread',
  summary: 'Close, lock, hide or describe a thread',
  description:
    'Only what is named changes. An absent thread comes into being. `moderation: pre` holds everything ' +
    'that is posted to it. `state: open` also opens a thread that has closed by itself: what closed it ' +
    'does not do so again.',
  params: object(op.articleParams),
  query: op.NO_QUERY,
  body: ref(ThreadChange),
  answers: { 200: ref(ModeratedThread) },
  limit: 'write',
  once: true,
})

export const addModerationRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/moderation/comments', LIST_QUEUE, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { claimed, sort, limit, cursor, ...wanted } = request.query
    const siteId = request.site.id
    const filter = readCommentFilter(wanted)
    assertSorted(sort, filter)
    const binding = ['queue', siteId, ...Object.values(filter), claimed, sort]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const asked = claimed === 'any' ? undefined : { is: claimed, by: callerIdOf(request.caller) }
    const page = { siteId, claimed: asked, sort, after, limit }
    const { items, next } = await listQueue(context, { ...filter, ...page })
    return sendPrivately(reply, {
      items: items.map(presentForModeration),
      next_cursor: next && writeCursor(keys().cursors, binding, { sort: '', after: next }),
    })
  })

  app.get('/sites/:site/moderation/counts', COUNT_QUEUE, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    return sendPrivately(reply, await countQueue(context, request.site.id))
  })

  app.post('/sites/:site/comments/:id/decisions', DECIDE_COMMENT, async (request, reply) => {
    const { site, caller, body } = request
    assertScope(caller, 'moderate')
    const { from, to, reason = null, note = null, replies = 'keep' } = body
    const move = { from, to, reason, note, replies }
    const act = { site, moderator: caller, ...move, claim: readIdempotencyKey(request) }
    const answer = await changingComment(context, request, (comment) =>
      decideComment(context, { ...act, comment }, ({ decision, version }) => ({
        status: 201,
        headers: threadVersion(version),
        body: presentDecision(decision),
      })),
    )
    return sendWrite(reply, answer)
  })

  app.get('/sites/:site/comments/:id/revisions', LIST_REVISIONS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { site, params, query } = request
    const binding = ['revisions', site.id, params.id]
    const before = readId(binding, query.cursor)
    const { items, nextId } = await withComment(context, request, (comment) =>
      listRevisions(context, { site, comment, before, ...query }),
    )
    return sendPrivately(reply, {
      items: items.map(presentRevision),
      next_cursor: writeId(binding, nextId),
    })
  })

  app.patch('/sites/:site/articles/:article_id', UPDATE_THREAD, async (request, reply) => {
    const { site, caller, body, params } = request
    assertScope(caller, 'moderate')
    const change = {
      ...readThreadFields(body),
      ...(body.state !== undefined && { state: body.state }),
      ...(body.stays_open !== undefined && { staysOpen: body.stays_open }),
      ...(body.slow_mode_seconds !== undefined && { slowModeSeconds: body.slow_mode_seconds }),
      ...(body.moderation !== undefined && {
        moderation: body.moderation === 'site' ? null : body.moderation,
      }),
    }
    const claim = readIdempotencyKey(request)
    const answer = await updateThread(
      context,
      { site, moderator: caller, articleId: params.article_id, change, claim },
      (thread) => ({
        status: 200,
        headers: threadVersion(thread.version),
        body: presentModeratedThread(thread),
      }),
    )
    return sendWrite(reply, answer)
  })

  const readId = (binding: Binding, cursor: string | undefined): number | null =>
    readIdCursor(keys().cursors, binding, cursor)

  const writeId = (binding: Binding, id: number | null): string | null =>
    writeIdCursor(keys().cursors, binding, id)
}
