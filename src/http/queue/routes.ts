import { assertScope, callerIdOf } from '../../domain/people/caller.ts'
import { decideComment } from '../../usecases/decisions/decide-comment.ts'
import { updateThread } from '../../usecases/decisions/update-thread.ts'
import { countQueue, listQueue, listRevisions, QUEUE_SORTS } from '../../usecases/queue/queue.ts'
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

const moderating = { tag: 'Moderation', credential: 'needed' } as const

const LIST_QUEUE = op.operation({
  ...moderating,
  id: 'listQueue',
  summary: 'List the moderation queue',
  description:
    'Returns comments awaiting a moderator, oldest first, most flagged first or highest risk ' +
    'first; other statuses can be requested. Each page searches a limited number of comments, so ' +
    'it can be empty and still have a `next_cursor`.',
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
  summary: 'Count comments by status',
  description:
    'Returns the number of comments in each status for the whole site, not only those in the ' +
    'queue.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(QueueCounts) },
  limit: 'read',
})

const DECIDE_COMMENT = op.operation({
  ...moderating,
  id: 'decideComment',
  summary: 'Change the status of a comment',
  description:
    'Send the status you saw as `from` and the new one as `to`; it returns the decision, or ' +
    '`decision_conflict` if the status has changed meanwhile. With `replies: same`, replies that ' +
    'have the same status change too.',
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
  summary: 'List earlier versions of a comment',
  description:
    'Returns the texts before each edit, latest first. The current text is not included.',
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
  summary: "Update a thread's settings",
  description:
    'Changes only the fields sent (state, title, URL, closing time, slow mode, moderation mode), ' +
    'and creates the thread if the article has none. `state: open` on a thread that closed ' +
    'automatically also stops it from closing automatically again.',
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
