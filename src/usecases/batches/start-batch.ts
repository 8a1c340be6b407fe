import { batchJob } from '../../domain/job.ts'
import { MAX_SYNC_DECISIONS } from '../../domain/moderation/decision.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  countItems,
  countTotal,
  type Item,
  listItems,
  listOpenItems,
} from '../../postgres/jobs/batch-items.ts'
import { type Batch, findBatch, insertBatch } from '../../postgres/jobs/batches.ts'
import { deleteJob, enqueueJob } from '../../postgres/jobs/jobs.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { hidesComments, processItems } from './process-items.ts'

export type { Item } from '../../postgres/jobs/batch-items.ts'
export type { Batch } from '../../postgres/jobs/batches.ts'

/** A batch, and what became of each of its comments if they are few. */
export type BatchResult = { readonly batch: Batch; readonly items: readonly Item[] }

export type NewBatch = Pick<Batch, 'siteId' | 'kind' | 'request' | 'by'> & {
  /** Adds the comments to a batch that has none yet. */
  readonly fill: (tx: Tx, batch: Batch) => Promise<void>
  /** Refuses a number of comments that is not the one expected. */
  readonly assertTotal: (total: number) => void
}

/** How long a small batch belongs to the request that created it, before a job finishes it. */
const REQUEST_MS = 15_000

/** Stores a batch and its comments, and enqueues its job: a small batch is left to the request at first. */
export const createBatch = async (
  tx: Tx,
  { fill, assertTotal, ...batch }: NewBatch,
): Promise<Batch> => {
  const empty = await insertBatch(tx, { ...batch, total: 0 })
  await fill(tx, empty)
  const total = await countTotal(tx, empty)
  assertTotal(total)
  await enqueueJob(tx, { ...batchJob(empty), dueInMs: isSmall({ total }) ? REQUEST_MS : 0 })
  return { ...empty, total }
}

const isSmall = ({ total }: Pick<Batch, 'total'>): boolean => total <= MAX_SYNC_DECISIONS

/**
 * Creates a batch once per Idempotency-Key. The request itself processes a small batch; a job processes a
 * large one. If the node is killed, a job does the rest, and a repeated request returns the whole result.
 */
export const startBatch = async <Answer>(
  context: Context,
  { claim, ...batch }: NewBatch & { claim: IdempotencyKey | undefined },
  present: (result: BatchResult) => Answer,
): Promise<Answer> => {
  const opened = await runOnce(context, claim, (tx) => createBatch(tx, batch))
  return present(await runCreatedBatch(context, opened))
}

/** Processes a created batch if it is small, else kicks its job. */
export const runCreatedBatch = async (context: Context, opened: Batch): Promise<BatchResult> => {
  if (isSmall(opened)) return finish(context, opened)
  context.kick('run_batch')
  return { batch: opened, items: [] }
}

/** A repeated request finds no open items, but still invalidates, because its response reveals a hide. */
const finish = async (context: Context, batch: Batch): Promise<BatchResult> => {
  const items = await runQuery(listItems(context.db, batch))
  const threadIds = [...new Set(items.map(({ threadId }) => threadId))]
  const changes = { siteId: batch.siteId, threadIds, isHide: hidesComments(batch) }
  await withInvalidation(context, changes, async () => {
    const open = await runQuery(listOpenItems(context.db, batch, MAX_SYNC_DECISIONS))
    await processItems(context, batch, open)
  })
  await runQuery(countItems(context.writes, batch))
  await runQuery(deleteJob(context.writes, batchJob(batch)))
  return {
    batch: (await runQuery(findBatch(context.db, batch)))!,
    items: await runQuery(listItems(context.db, batch)),
  }
}
