import { isVisible } from '../../domain/comment/status.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, inTransaction } from '../../postgres/connection/transaction.ts'
import { listStillOpen, type OpenItem, settleItems } from '../../postgres/jobs/batch-items.ts'
import { type Batch, lockBatchRow } from '../../postgres/jobs/batches.ts'
import type { Context } from '../context.ts'
import {
  type DecisionResults,
  decideInThread,
  type StatusRequest,
  type ThreadKey,
} from '../decisions/decide-in-thread.ts'
import { undoInThread } from '../decisions/undo-in-thread.ts'

/** One transaction processes this many comments, while other writers to the thread wait. */
const ITEMS_OF_THREAD = 500

/** Whether the batch can hide comments from readers. */
export const hidesComments = ({ kind, request }: Batch): boolean =>
  kind === 'undo' || !isVisible((request as StatusRequest).to)

/** Processes items of a batch, thread by thread. Items that have an outcome by now are skipped. */
export const processItems = async (
  context: Context,
  batch: Batch,
  items: readonly OpenItem[],
): Promise<void> => {
  for (const group of groupByThread(items))
    await inTransaction(context.writes, (tx) => processGroup(tx, batch, group))
}

const processGroup = async (tx: Tx, batch: Batch, group: readonly OpenItem[]): Promise<void> => {
  const { threadId } = group[0]!
  const thread = { siteId: batch.siteId, threadId }
  await lockBatchRow(tx, batch)
  await acquireThreadLock(tx, thread, 'exclusive')
  const open = await listStillOpen(tx, batch, { threadId, ids: group.map(({ id }) => id) })
  const unprocessed = group.filter(({ id }) => open.has(id))
  if (unprocessed.length === 0) return
  const { results } = await decideItems(tx, thread, batch, unprocessed)
  const outcomes = [...results].map(([id, { outcome, decision }]) => ({
    id,
    outcome,
    decisionId: decision?.id ?? null,
  }))
  await settleItems(tx, batch, { threadId, settled: outcomes })
}

const decideItems = (
  tx: Tx,
  thread: ThreadKey,
  batch: Batch,
  items: readonly OpenItem[],
): Promise<DecisionResults> => {
  const origin = { siteId: batch.siteId, by: batch.by, batchId: batch.id }
  if (batch.kind === 'undo') {
    const targets = items.map(({ id, undoes }) => ({ id, undoes: undoes! }))
    return undoInThread(tx, thread, { targets, origin })
  }
  const request = batch.request as StatusRequest
  return decideInThread(tx, thread, { targets: items, request, origin })
}

function* groupByThread(items: readonly OpenItem[]): Generator<OpenItem[]> {
  for (const ofThread of Map.groupBy(items, ({ threadId }) => threadId).values())
    for (let at = 0; at < ofThread.length; at += ITEMS_OF_THREAD)
      yield ofThread.slice(at, at + ITEMS_OF_THREAD)
}
