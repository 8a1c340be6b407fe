import { MAX_AT_ONCE, type Outcome } from '../../domain/moderation/decision.ts'
import { inVain } from '../../postgres/connection/transaction.ts'
import {
  countForeseeable,
  type Foreseeable,
  type Item,
  listForeseeable,
} from '../../postgres/jobs/batch-items.ts'
import type { World } from '../context.ts'
import { outcomeOf } from './decide-in-thread.ts'
import { type DecideManyRequest, toBatch } from './decide-many.ts'
import { openBatch } from './start-batch.ts'

export type Foreseen = {
  readonly total: number
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
  /** Of each comment, if they are few. */
  readonly items: readonly Item[]
}

/** What would become of the comments; nothing is done, and nothing of it is stored. */
export const foreseeDecisions = (world: World, request: DecideManyRequest): Promise<Foreseen> =>
  inVain(world.writes, async (tx) => {
    const batch = await openBatch(tx, toBatch(request))
    if (batch.total > MAX_AT_ONCE) {
      const counted = await countForeseeable(tx, batch)
      const outcomes = sumOf(counted.map((facts) => [outcomeFor(facts, request), facts.number]))
      return { total: batch.total, outcomes, items: [] }
    }
    const known = await listForeseeable(tx, batch)
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

const outcomeFor = (
  { seen, status, isErased }: Foreseeable,
  { to }: DecideManyRequest,
): Outcome => {
  const comment = status === null ? undefined : { status, isErased }
  return outcomeOf(comment, { seen: seen ?? undefined, to })
}
