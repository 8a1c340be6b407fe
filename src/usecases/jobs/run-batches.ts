import { type BatchKind, MAX_SYNC_DECISIONS } from '../../domain/moderation/decision.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { type Batch, listBatchesToDo } from '../../postgres/jobs/batches.ts'
import type { Context } from '../context.ts'
import { rejudgeSome } from '../policies/rejudge-pending.ts'
import { runBatchStep } from './run-batch-step.ts'

const MAX_BATCHES = 20

/**
 * Does one step of a batch, in transactions of its own that take the batch for themselves first
 * (`tryBatch`), and counts it. What is left when a node dies is left to the next that looks.
 * @returns whether there is more that this node can do
 */
type Step = (context: Context, batch: Batch) => Promise<boolean>

const STEPS: Record<BatchKind, Step> = {
  decide: runBatchStep,
  undo: runBatchStep,
  judge: rejudgeSome,
}

/**
 * Does what is left to do of large batches, whichever node was asked for it; of several nodes one is at
 * each of them. One that fails does not keep the others waiting; the first failure is thrown at the end.
 */
export const runBatches = async (context: Context, signal: AbortSignal): Promise<void> => {
  const failures: unknown[] = []
  const wanted = { maxInCall: MAX_SYNC_DECISIONS, limit: MAX_BATCHES }
  for (const batch of await runQuery(listBatchesToDo(context.db, wanted)))
    await runBatch(context, batch, signal).catch((error) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}

const runBatch = async (context: Context, batch: Batch, signal: AbortSignal): Promise<void> => {
  const step = STEPS[batch.kind]
  while (step && !signal.aborted && (await step(context, batch)));
}
