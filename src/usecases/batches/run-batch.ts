import type { Job, JobResult } from '../../domain/job.ts'
import type { BatchKind } from '../../domain/moderation/decision.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { countItems, listOpenItems } from '../../postgres/jobs/batch-items.ts'
import { type Batch, findBatch } from '../../postgres/jobs/batches.ts'
import { reportProgress } from '../../postgres/jobs/jobs.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { mergeStep, movingOf } from '../moving/merge-steps.ts'
import { remapStep } from '../moving/remap-steps.ts'
import { undoMergeStep } from '../moving/undo-merge.ts'
import { rejudgeStep } from '../policies/rejudge-pending.ts'
import { hidesComments, processItems } from './process-items.ts'

const ITEMS_OF_STEP = 5_000

/**
 * @returns how many comments or threads the step processed; undefined when none is left, `later` if another batch has
 * to end first
 */
type Step = (context: Context, batch: Batch) => Promise<number | undefined | 'later'>

const LATER_MS = 500
/** A batch of a kind that only a newer version knows is left for a node of that version. */
const UNKNOWN_MS = 10_000

/** Processes a batch step by step. A node that is killed leaves the rest to the next node. */
export const runBatch = async (
  context: Context,
  job: Job<'run_batch'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  while (!signal.aborted) {
    const key = { siteId: job.siteId, id: job.payload.batchId }
    const batch = await runQuery(findBatch(context.db, key))
    if (!batch || batch.endedAt !== null) return 'done'
    const step: Step | undefined = STEPS[batch.kind]
    if (!step) return { againInMs: UNKNOWN_MS }
    const processed = await step(context, batch)
    if (processed === undefined) return 'done'
    if (processed === 'later') return { againInMs: LATER_MS }
    if (!(await runQuery(reportProgress(context.writes, job, processed)))) return 'done'
  }
  return { againInMs: 0 }
}

/**
 * Processes the next items, and counts them once no node shows the comments that they hid: a client that
 * reads the count can rely on it.
 */
const processStep: Step = async (context, batch) => {
  const items = await runQuery(listOpenItems(context.db, batch, ITEMS_OF_STEP))
  const threadIds = [...new Set(items.map(({ threadId }) => threadId))]
  const changes = { siteId: batch.siteId, threadIds, isHide: hidesComments(batch) }
  if (items.length > 0)
    await withInvalidation(context, changes, () => processItems(context, batch, items))
  await runQuery(countItems(context.writes, batch))
  return items.length > 0 ? items.length : undefined
}

const STEPS: Record<BatchKind, Step> = {
  decide: processStep,
  undo: (context, batch) => (movingOf(batch) ? undoMergeStep : processStep)(context, batch),
  judge: rejudgeStep,
  decide_threads: processStep,
  merge: mergeStep,
  remap: remapStep,
}
