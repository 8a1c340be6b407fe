import type { Static } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { decideThreads, dryRunThreads } from '../../usecases/batches/decide-threads.ts'
import { searchThreads, THREAD_SORTS } from '../../usecases/reading/search-threads.ts'
import { presentBatchResponse, presentDryRun } from '../batches/present.ts'
import { BatchResult } from '../batches/schemas.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { readCursor, writeCursor } from '../wire/cursors.ts'
import { readTime } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { presentModeratedThread } from './present.ts'
import { NewThreadDecisions, ThreadFilter, ThreadsPage } from './schemas.ts'

const moderating = { tag: 'Moderation', credential: 'needed' } as const

const SEARCH_THREADS = op.operation({
  ...moderating,
  id: 'searchThreads',
  summary: 'Search the threads of a site',
  description:
    'Moderators find threads in every state, also those that readers do not see. Each page ' +
    'searches a limited number of threads, so it can be empty and still have a `next_cursor`.',
  params: object(op.siteParams),
  query: object({
    ...ThreadFilter.properties,
    sort: oneOf(THREAD_SORTS, {
      default: 'active',
      description: 'Latest activity, or newest thread first.',
    }),
    ...op.limitParam,
    ...op.cursorParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(ThreadsPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const DECIDE_THREADS = op.operation({
  ...moderating,
  id: 'decideThreads',
  summary: 'Change the state of many threads',
  description:
    'Applies one state to listed threads, or to all that match a filter: up to 500 immediately ' +
    '(200, with an outcome for each), more as a batch (202). Threads in another state than `from` ' +
    'are skipped as `decision_conflict`. `undoBatch` undoes it.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(NewThreadDecisions),
  answers: { 200: ref(BatchResult), 202: ref(BatchResult) },
  refusals: ['decision_conflict'],
  limit: 'write',
  once: true,
})

export const addThreadSearchRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/moderation/threads', SEARCH_THREADS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { sort, limit, cursor, ...wanted } = request.query
    const siteId = request.site.id
    const filter = readFilter(wanted)
    const binding = ['threads', siteId, ...Object.values(filter), sort]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const { items, next } = await searchThreads(context, { siteId, ...filter, sort, after, limit })
    return sendPrivately(reply, {
      items: items.map(presentModeratedThread),
      next_cursor: next && writeCursor(keys().cursors, binding, { sort, after: next }),
    })
  })

  app.post('/sites/:site/moderation/threads/decisions', DECIDE_THREADS, async (request, reply) => {
    const { site, ids, caller: moderator, body } = request
    assertScope(moderator, 'moderate')
    const { to, reason = null, note = null, expected_count: expectedCount } = body
    const order = { to, reason, note, expectedCount, threads: readThreads(body) }
    const act = { site, moderator, ...order, idempotencyKey: readIdempotencyKey(request) }
    if (body.dry_run) {
      const result = await dryRunThreads(context, act)
      return sendPrivately(reply, presentDryRun(ids, { ...result, replies: null }))
    }
    return sendWrite(reply, await decideThreads(context, act, presentBatchResponse(ids)))
  })
}

/** @param at the filter's pointer in the request; empty for query parameters */
const readFilter = (
  { state, has_comments: hasComments, q, until }: Static<typeof ThreadFilter>,
  at = '',
) => ({
  states: state && [...new Set(state)].sort(),
  hasComments,
  q,
  until: until === undefined ? undefined : readTime(`${at}until`, until),
})

const readThreads = (body: Static<typeof NewThreadDecisions>) => {
  const { threads: listed, filter, expected_count: expectedCount, dry_run: isDryRun } = body
  if ((listed === undefined) === (filter === undefined))
    throw new Refusal('invalid_request', { '': 'must have either threads or filter' })
  if (listed)
    return { listed: listed.map(({ article_id: articleId, from }) => ({ articleId, from })) }
  if (expectedCount === undefined && !isDryRun)
    throw new Refusal('invalid_request', { '/expected_count': 'is required with a filter' })
  return { filter: readFilter(filter!, '/filter/') }
}
