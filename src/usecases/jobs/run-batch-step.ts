import { isVisible } from '../../domain/comment/status.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import {
  countItems,
  listOpenItems,
  listStillOpen,
  type OpenItem,
  settleItems,
} from '../../postgres/jobs/batch-items.ts'
import { type Batch, tryLockBatch } from '../../postgres/jobs/batches.ts'
import type { Context } from '../context.ts'
import {
  type DecisionResults,
  decideInThread,
  type StatusRequest,
  type ThreadKey,
} from '../decisions/decide-in-thread.ts'
import { withInvalidation } from '../invalidate.ts'
import { undoInThread } from '../undo/undo-in-thread.ts'

const ITEMS_OF_STEP = 5_000
/** What one transaction does, while everybody else who writes to the thread waits. */
const ITEMS_OF_THREAD = 500

/**
 * Decides on the next comments of a batch, or takes decisions on them back. They are counted only when
 * no node shows any more what they hid: whoever reads the count may rely on it.
 * @returns whether there is more that this node can do
 */
export const runBatchStep = async (context: Context, batch: Batch): Promise<boolean> => {
  const items = await runQuery(listOpenItems(context.db, batch, ITEMS_OF_STEP))
  const isOurs = items.length === 0 || (await announceStep(context, batch, items))
  if (isOurs) await runQuery(countItems(context.writes, batch))
  return isOurs && items.length > 0
}

const announceStep = (
  context: Context,
  batch: Batch,
  items: readonly OpenItem[],
): Promise<boolean> => {
  const threadIds = [...new Set(items.map(({ threadId }) => threadId))]
  const changes = { siteId: batch.siteId, threadIds, isHide: hidesComments(batch) }
  return withInvalidation(context, changes, () => processItems(context, batch, items, tryLockBatch))
}

/** Whether readers may see less after it. */
export const hidesComments = ({ kind, request }: Batch): boolean =>
  kind === 'undo' || !isVisible((request as StatusRequest).to)

/**
 * Settles items, one transaction for each thread.
 * @param take gets the batch for a transaction
 * @returns false when another node has it
 */
export const processItems = async (
  context: Context,
  batch: Batch,
  items: readonly OpenItem[],
  take: typeof tryLockBatch,
): Promise<boolean> => {
  for (const group of groups(items)) {
    const isOurs = await inTransaction(context.writes, async (tx) => {
      if (!(await take(tx, batch))) return false
      await settleGroup(tx, batch, group)
      return true
    })
    if (!isOurs) return false
  }
  return true
}

const settleGroup = async (tx: Tx, batch: Batch, group: readonly OpenItem[]): Promise<void> => {
  const { threadId } = group[0]!
  const place = { siteId: batch.siteId, threadId }
  await acquireThreadLock(tx, place, 'exclusive')
  const open = await listStillOpen(tx, batch, { threadId, ids: group.map(({ id }) => id) })
  const wanted = group.filter(({ id }) => open.has(id))
  if (wanted.length === 0) return
  const { settled } = await actOn(tx, place, batch, wanted)
  const outcomes = [...settled].map(([id, { outcome, decision }]) => ({
    id,
    outcome,
    decisionId: decision?.id ?? null,
  }))
  await settleItems(tx, batch, { threadId, settled: outcomes })
}

const actOn = (
  tx: Tx,
  place: ThreadKey,
  batch: Batch,
  items: readonly OpenItem[],
): Promise<DecisionResults> => {
  const by = { siteId: batch.siteId, by: batch.by, batchId: batch.id }
  if (batch.kind === 'undo') {
    const wanted = items.map(({ id, undoes }) => ({ id, undoes: undoes! }))
    return undoInThread(tx, place, { wanted, by })
  }
  return decideInThread(tx, place, { wanted: items, order: batch.request as StatusRequest, by })
}

function* groups(items: readonly OpenItem[]): Generator<OpenItem[]> {
  for (const ofThread of Map.groupBy(items, ({ threadId }) => threadId).values())
    for (let at = 0; at < ofThread.length; at += ITEMS_OF_THREAD)
      yield ofThread.slice(at, at + ITEMS_OF_THREAD)
}
