import { assertScope, callerIdOf } from '../../domain/people/caller.ts'
import { countQueue, listQueue, QUEUE_SORTS } from '../../usecases/queue/queue.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { readCursor, writeCursor, writeSnapshot } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { assertSorted, readCommentFilter } from './comment-filter.ts'
import { presentForModeration } from './present.ts'
import { CommentFilter, QueueCounts, QueuePage } from './schemas.ts'

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

export const addQueueRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/moderation/comments', LIST_QUEUE, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { claimed, sort, limit, cursor, ...wanted } = request.query
    const siteId = request.site.id
    const filter = readCommentFilter(request, wanted)
    assertSorted(sort, filter)
    const binding = ['queue', siteId, ...Object.values(filter), claimed, sort]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const asked = claimed === 'any' ? undefined : { is: claimed, by: callerIdOf(request.caller) }
    const page = { siteId, claimed: asked, sort, after, limit }
    const { items, next, asOf } = await listQueue(context, { ...filter, ...page })
    return sendPrivately(reply, {
      items: items.map((comment) => presentForModeration(request.ids, comment)),
      next_cursor: next && writeCursor(keys().cursors, binding, { sort: '', after: next }),
      as_of: writeSnapshot(keys().cursors, siteId, asOf),
    })
  })

  app.get('/sites/:site/moderation/counts', COUNT_QUEUE, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    return sendPrivately(reply, await countQueue(context, request.site.id))
  })
}
