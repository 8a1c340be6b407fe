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
import { type Batch, findBatch, insertBatch, lockBatchRow } from '../../postgres/jobs/batches.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { hidesComments, processItems } from '../jobs/run-batch-step.ts'
import { runOnce } from '../run-once.ts'

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

/** Writes down what is to be done, and to which comments. */
export const createBatch = async (
  tx: Tx,
  { fill, assertTotal, ...batch }: NewBatch,
): Promise<Batch> => {
  const empty = await insertBatch(tx, { ...batch, total: 0 })
  await fill(tx, empty)
  const total = await countTotal(tx, empty)
  assertTotal(total)
  return { ...empty, total }
}

/**
 * Opens a batch once per Idempotency-Key. Few comments are done before the answer, many by a job after
 * it. Should the node die in between, a job does the rest, and the same request is told of all of it.
 */
export const startBatch = async <Answer>(
  context: Context,
  { claim, ...batch }: NewBatch & { claim: IdempotencyKey | undefined },
  present: (result: BatchResult) => Answer,
): Promise<Answer> => {
  const opened = await runOnce(context, claim, (tx) => createBatch(tx, batch))
  return present(await runCreatedBatch(context, opened))
}

/** Does a batch that was opened, if it is small; else has it done. */
export const runCreatedBatch = async (context: Context, opened: Batch): Promise<BatchResult> => {
  if (opened.total <= MAX_SYNC_DECISIONS) return finish(context, opened)
  context.kick('batches')
  return { batch: opened, items: [] }
}

/** A repeated request finds nothing left to do, and announces all the same: its answer tells of a hide. */
const finish = async (context: Context, batch: Batch): Promise<BatchResult> => {
  const items = await runQuery(listItems(context.db, batch))
  const threadIds = [...new Set(items.map(({ threadId }) => threadId))]
  const changes = { siteId: batch.siteId, threadIds, isHide: hidesComments(batch) }
  await withInvalidation(context, changes, async () => {
    const open = await runQuery(listOpenItems(context.db, batch, MAX_SYNC_DECISIONS))
    await processItems(context, batch, open, lockBatchRow)
  })
  await runQuery(countItems(context.writes, batch))
  return {
    batch: (await runQuery(findBatch(context.db, batch)))!,
    items: await runQuery(listItems(context.db, batch)),
  }
}
