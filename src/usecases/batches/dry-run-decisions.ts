import { MAX_SYNC_DECISIONS, type Outcome } from '../../domain/moderation/decision.ts'
import { inRolledBackTransaction } from '../../postgres/connection/transaction.ts'
import {
  countDryRunItems,
  type DryRunItem,
  type Item,
  listDryRunItems,
} from '../../postgres/jobs/batch-items.ts'
import type { Context } from '../context.ts'
import { outcomeOf } from '../decisions/decide-in-thread.ts'
import { createBatch } from './batches.ts'
import { type DecideManyRequest, toBatch } from './decide-many.ts'

export type DryRunResult = {
  readonly total: number
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
  /** Outcomes by comment, if there are at most 500. */
  readonly items: readonly Item[]
}

/** The outcomes that `decideMany` would have now. Changes and stores nothing. */
export const dryRunDecisions = (
  context: Context,
  request: DecideManyRequest,
): Promise<DryRunResult> =>
  inRolledBackTransaction(context.writes, async (tx) => {
    const batch = await createBatch(tx, toBatch(request))
    if (batch.total > MAX_SYNC_DECISIONS) {
      const counted = await countDryRunItems(tx, batch)
      const outcomes = sumOf(counted.map((facts) => [outcomeFor(facts, request), facts.number]))
      return { total: batch.total, outcomes, items: [] }
    }
    const known = await listDryRunItems(tx, batch)
    const items = known.map(({ comment, ...facts }) => ({
      comment,
      outcome: outcomeFor(facts, request),
      decisionId: null,
    }))
    return { total: batch.total, outcomes: sumOf(items.map(({ outcome }) => [outcome, 1])), items }
  })

const sumOf = (counts: readonly (readonly [Outcome, number])[]) => {
  const sums: Partial<Record<Outcome, number>> = {}
  for (const [outcome, number] of counts) sums[outcome] = (sums[outcome] ?? 0) + number
  return sums
}

const outcomeFor = ({ seen, status, isErased }: DryRunItem, { to }: DecideManyRequest): Outcome => {
  const comment = status === null ? undefined : { status, isErased }
  return outcomeOf(comment, { seen: seen ?? undefined, to })
}
