import { type BatchKind, MAX_AT_ONCE } from '../../domain/moderation/decision.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import { type Batch, listBatchesToDo } from '../../postgres/jobs/batches.ts'
import type { World } from '../context.ts'
import { rejudgeSome } from '../policies/rejudge-pending.ts'
import { stepBatch } from './run-batch-step.ts'

const MAX_BATCHES = 20

/**
 * Does one step of a batch, in transactions of its own that take the batch for themselves first
 * (`tryBatch`), and counts it. What is left when a node dies is left to the next that looks.
 * @returns whether there is more that this node can do
 */
type Step = (world: World, batch: Batch) => Promise<boolean>

const STEPS: Record<BatchKind, Step> = { decide: stepBatch, undo: stepBatch, judge: rejudgeSome }

/**
 * Does what is left to do of large batches, whichever node was asked for it; of several nodes one is at
 * each of them. One that fails does not keep the others waiting; the first failure is thrown at the end.
 */
export const runBatches = async (world: World, signal: AbortSignal): Promise<void> => {
  const failures: unknown[] = []
  const wanted = { maxInCall: MAX_AT_ONCE, limit: MAX_BATCHES }
  for (const batch of await asking(listBatchesToDo(world.db, wanted)))
    await runBatch(world, batch, signal).catch((error) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}

const runBatch = async (world: World, batch: Batch, signal: AbortSignal): Promise<void> => {
  const step = STEPS[batch.kind]
  while (step && !signal.aborted && (await step(world, batch)));
}
