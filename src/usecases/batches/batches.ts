import { batchJob } from '../../domain/job.ts'
import { MAX_SYNC_DECISIONS } from '../../domain/moderation/decision.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  countItems,
  countTotal,
  type Item,
  listItems,
  listOpenItems,
} from '../../postgres/jobs/batch-items.ts'
import {
  type Batch,
  findBatch,
  listBatches as findBatches,
  insertBatch,
} from '../../postgres/jobs/batches.ts'
import { deleteJob, enqueueJob } from '../../postgres/jobs/jobs.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { hidesComments, processItems } from './process-items.ts'

export type { Item } from '../../postgres/jobs/batch-items.ts'
export type { Batch } from '../../postgres/jobs/batches.ts'

/** A batch, with the outcome of each comment if there are at most 500. */
export type BatchResult = { readonly batch: Batch; readonly items: readonly Item[] }

export type NewBatch = Pick<Batch, 'siteId' | 'kind' | 'request' | 'by'> & {
  /** Adds the comments to the empty batch. */
  readonly fill: (tx: Tx, batch: Batch) => Promise<void>
  /** Refuses an unexpected number of comments. */
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
 * large one. If the node is killed, a job does the rest, and a repeated request returns the whole result. The stored
 * response is the number of the batch, so that only the batch itself has the note and the filter.
 */
export const startBatch = async <Answer>(
  context: Context,
  { idempotencyKey, ...batch }: NewBatch & { idempotencyKey: IdempotencyKey | undefined },
  present: (result: BatchResult) => Answer,
): Promise<Answer> => {
  const { siteId } = batch
  const { id } = await runOnce(context, idempotencyKey, async (tx) => {
    const created = await createBatch(tx, batch)
    return { id: created.id }
  })
  const created = (await runQuery(findBatch(context.writes, { siteId, id })))!
  return present(await runCreatedBatch(context, created))
}

/** Processes a created batch if it is small, else kicks its job. */
export const runCreatedBatch = async (context: Context, created: Batch): Promise<BatchResult> => {
  if (isSmall(created)) return finish(context, created)
  context.kick('run_batch')
  return { batch: created, items: [] }
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

/** A batch with its progress. */
export const getBatch = async (context: Context, site: Site, id: number): Promise<Batch> => {
  const batch = await runQuery(findBatch(context.db, { siteId: site.id, id }))
  if (!batch) throw new Refusal('not_found')
  return batch
}

/** Batches, latest first. */
export const listBatches = async (
  context: Context,
  { site, beforeId, limit }: { site: Site; beforeId: number | null; limit: number },
): Promise<{ items: Batch[]; nextId: number | null }> => {
  const rows = await runQuery(findBatches(context.db, { siteId: site.id, beforeId, limit }))
  const items = rows.slice(0, limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
