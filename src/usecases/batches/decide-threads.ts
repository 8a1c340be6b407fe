import { MAX_SYNC_DECISIONS, type Outcome } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { inRolledBackTransaction } from '../../postgres/connection/transaction.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  insertThreadItems,
  insertThreadItemsByFilter,
  listThreadItems,
  type SeenThread,
  type ThreadFilter,
} from '../../postgres/threads/search.ts'
import type { Context } from '../context.ts'
import { stateOutcomeOf } from '../decisions/thread-settings.ts'
import { type BatchResult, createBatch, type Item, type NewBatch, startBatch } from './batches.ts'
import type { StateRequest } from './process-items.ts'

export type DecideThreadsRequest = StateRequest & {
  readonly site: Site
  readonly moderator: StaffCaller
  /** Threads as the moderator saw them, or a filter. */
  readonly threads: { readonly listed: readonly SeenThread[] } | { readonly filter: ThreadFilter }
  /** The number of threads that the moderator expects. */
  readonly expectedCount: number | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

/**
 * Gives many threads a state, each as `updateThread` would. A thread whose state changed since stays
 * unchanged, as its outcome says. Refuses with `decision_conflict` if the number of threads differs from
 * the expected one.
 */
export const decideThreads = <Answer>(
  context: Context,
  request: DecideThreadsRequest,
  present: (result: BatchResult) => Answer,
): Promise<Answer> =>
  startBatch(context, { ...toBatch(request), idempotencyKey: request.idempotencyKey }, present)

const toBatch = (request: DecideThreadsRequest): NewBatch => {
  const { site, moderator, threads, to, reason, note, expectedCount } = request
  return {
    siteId: site.id,
    kind: 'decide_threads',
    by: callerIdOf(moderator),
    request: { to, reason, note, ...('filter' in threads && { filter: threads.filter }) },
    fill: (tx, batch) =>
      'filter' in threads
        ? insertThreadItemsByFilter(tx, batch, threads.filter)
        : insertThreadItems(tx, batch, uniqueOf(threads.listed)),
    assertTotal: (total) => {
      if (expectedCount === undefined || total === expectedCount) return
      throw new Refusal('decision_conflict', { '/expected_count': `there are ${total} threads` })
    },
  }
}

/** The first mention of each article. */
const uniqueOf = (threads: readonly SeenThread[]): SeenThread[] =>
  threads.filter(
    ({ articleId }, at) => threads.findIndex((one) => one.articleId === articleId) === at,
  )

export type ThreadsDryRun = {
  readonly total: number
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
  /** Outcomes by thread, if there are at most 500. */
  readonly items: readonly Item[]
}

/** The outcomes that `decideThreads` would have now. Changes and stores nothing. */
export const dryRunThreads = (
  context: Context,
  request: DecideThreadsRequest,
): Promise<ThreadsDryRun> =>
  inRolledBackTransaction(context.writes, async (tx) => {
    const batch = await createBatch(tx, toBatch(request))
    const items = (await listThreadItems(tx, batch)).map(
      ({ threadId, articleId, seen, state }): Item => ({
        comment: { threadId, id: 0 },
        articleId,
        outcome: stateOutcomeOf(state, { seen, to: request.to }),
        decisionId: null,
      }),
    )
    const groups = Map.groupBy(items, ({ outcome }) => outcome!)
    const outcomes = Object.fromEntries(
      [...groups].map(([outcome, { length }]) => [outcome, length]),
    )
    const shown = batch.total > MAX_SYNC_DECISIONS ? [] : items
    return { total: batch.total, outcomes, items: shown }
  })
