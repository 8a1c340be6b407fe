import { MAX_SYNC_DECISIONS, type Outcome } from '../../domain/moderation/decision.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inRolledBackTransaction } from '../../postgres/connection/transaction.ts'
import {
  countDryRunItems,
  type DryRunItem,
  type Item,
  listDryRunItems,
} from '../../postgres/jobs/batch-items.ts'
import { findSnapshot } from '../../postgres/moderation/queue.ts'
import type { Context } from '../context.ts'
import { listCascadedReplies, outcomeOf } from '../decisions/decide-in-thread.ts'
import { createBatch } from './batches.ts'
import { type DecideManyRequest, toBatch } from './decide-many.ts'

export type DryRunResult = {
  /** The snapshot in which the moderator sees the comments. */
  readonly asOf: string
  readonly total: number
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
  /** How many replies would change along; null for more than 500 comments. */
  readonly replies: number | null
  /** Outcomes by comment, if there are at most 500. */
  readonly items: readonly Item[]
}

/** The outcomes that `decideMany` would have now. Changes and stores nothing. */
export const dryRunDecisions = (
  context: Context,
  request: DecideManyRequest,
): Promise<DryRunResult> =>
  inRolledBackTransaction(context.writes, async (tx) => {
    const asOf = await findSnapshot(tx)
    const batch = await createBatch(tx, toBatch(request))
    if (batch.total > MAX_SYNC_DECISIONS) {
      const counted = await countDryRunItems(tx, batch)
      const outcomes = sumOf(counted.map((facts) => [outcomeFor(facts, request), facts.number]))
      return { asOf, total: batch.total, outcomes, replies: null, items: [] }
    }
    const known = await listDryRunItems(tx, batch)
    const items = known.map((item) => ({
      ...item,
      articleId: null,
      outcome: outcomeFor(item, request),
      decisionId: null,
    }))
    const outcomes = sumOf(items.map(({ outcome }) => [outcome, 1]))
    const changed = items.filter(({ outcome }) => outcome === 'changed')
    const replies = await countReplies(tx, { request, changed })
    return { asOf, total: batch.total, outcomes, replies, items }
  })

type Place = { readonly threadId: number; readonly comment: CommentKey }

/** How many replies would change along with these comments. */
const countReplies = async (
  tx: Tx,
  {
    request: { site, to, replies },
    changed,
  }: { request: DecideManyRequest; changed: readonly Place[] },
): Promise<number> => {
  if (replies === 'keep') return 0
  let number = 0
  for (const [threadId, places] of Map.groupBy(changed, ({ threadId }) => threadId)) {
    const ids = places.map(({ comment }) => comment.id)
    number += (await listCascadedReplies(tx, { siteId: site.id, threadId }, { ids, to })).length
  }
  return number
}

const sumOf = (counts: readonly (readonly [Outcome, number])[]) => {
  const sums: Partial<Record<Outcome, number>> = {}
  for (const [outcome, number] of counts) sums[outcome] = (sums[outcome] ?? 0) + number
  return sums
}

const outcomeFor = (
  { seen, status, staysDeleted, revision, seenRevision, outcome }: DryRunItem,
  { to }: DecideManyRequest,
): Outcome => {
  if (outcome) return outcome
  const comment = status === null ? undefined : { status, staysDeleted, revision }
  return outcomeOf(comment, { seen: seen ?? undefined, revision: seenRevision, to })
}
