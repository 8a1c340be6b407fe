import { isVisible } from '../../domain/comment/status.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { asking, inTransaction, lockThread } from '../../postgres/connection/transaction.ts'
import {
  countItems,
  listOpenItems,
  listStillOpen,
  type OpenItem,
  settleItems,
} from '../../postgres/jobs/batch-items.ts'
import { type Batch, tryBatch } from '../../postgres/jobs/batches.ts'
import type { World } from '../context.ts'
import { type Done, decideSome, type Order, type Place } from '../decisions/decide-in-thread.ts'
import { announcing } from '../invalidate.ts'
import { undoSome } from '../undo/undo-in-thread.ts'

const ITEMS_OF_STEP = 5_000
/** What one transaction does, while everybody else who writes to the thread waits. */
const ITEMS_OF_THREAD = 500

/**
 * Decides on the next comments of a batch, or takes decisions on them back. They are counted only when
 * no node shows any more what they hid: whoever reads the count may rely on it.
 * @returns whether there is more that this node can do
 */
export const stepBatch = async (world: World, batch: Batch): Promise<boolean> => {
  const items = await asking(listOpenItems(world.db, batch, ITEMS_OF_STEP))
  const isOurs = items.length === 0 || (await announceStep(world, batch, items))
  if (isOurs) await asking(countItems(world.writes, batch))
  return isOurs && items.length > 0
}

const announceStep = (world: World, batch: Batch, items: readonly OpenItem[]): Promise<boolean> => {
  const threadIds = [...new Set(items.map(({ threadId }) => threadId))]
  const changes = { siteId: batch.siteId, threadIds, isHide: isHide(batch) }
  return announcing(world, changes, () => settle(world, batch, items, tryBatch))
}

/** Whether readers may see less after it. */
export const isHide = ({ kind, request }: Batch): boolean =>
  kind === 'undo' || !isVisible((request as Order).to)

/**
 * Settles items, one transaction for each thread.
 * @param take gets the batch for a transaction
 * @returns false when another node has it
 */
export const settle = async (
  world: World,
  batch: Batch,
  items: readonly OpenItem[],
  take: typeof tryBatch,
): Promise<boolean> => {
  for (const group of groups(items)) {
    const isOurs = await inTransaction(world.writes, async (tx) => {
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
  await lockThread(tx, place, 'alone')
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

const actOn = (tx: Tx, place: Place, batch: Batch, items: readonly OpenItem[]): Promise<Done> => {
  const by = { siteId: batch.siteId, by: batch.by, batchId: batch.id }
  if (batch.kind === 'undo') {
    const wanted = items.map(({ id, undoes }) => ({ id, undoes: undoes! }))
    return undoSome(tx, place, { wanted, by })
  }
  return decideSome(tx, place, { wanted: items, order: batch.request as Order, by })
}

function* groups(items: readonly OpenItem[]): Generator<OpenItem[]> {
  for (const ofThread of Map.groupBy(items, ({ threadId }) => threadId).values())
    for (let at = 0; at < ofThread.length; at += ITEMS_OF_THREAD)
      yield ofThread.slice(at, at + ITEMS_OF_THREAD)
}
