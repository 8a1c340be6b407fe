import type { ThreadState } from '../../domain/comment/comment.ts'
import { isVisible, type Reason } from '../../domain/comment/status.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, inTransaction } from '../../postgres/connection/transaction.ts'
import { listStillOpen, type OpenItem, settleItems } from '../../postgres/jobs/batch-items.ts'
import { type Batch, lockBatchRow } from '../../postgres/jobs/batches.ts'
import type { Context } from '../context.ts'
import {
  type DecisionResult,
  type DecisionResults,
  decideInThread,
  type StatusRequest,
  type ThreadKey,
} from '../decisions/decide-in-thread.ts'
import { decideState, undoSettings } from '../decisions/thread-settings.ts'
import { undoInThread } from '../decisions/undo-in-thread.ts'

/** One transaction processes this many comments, while other writers to the thread wait. */
const ITEMS_OF_THREAD = 500

/** Whether the batch can hide comments from readers. */
export const hidesComments = ({ kind, request }: Batch): boolean => {
  if (kind === 'undo') return true
  if (kind === 'decide_threads') return (request as StateRequest).to === 'hidden'
  return !isVisible((request as StatusRequest).to)
}

/** The state that a batch gives to threads. */
export type StateRequest = {
  readonly to: ThreadState
  readonly reason: Reason | null
  readonly note: string | null
}

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
  const isOnThread = unprocessed[0]!.id === 0
  const results = isOnThread
    ? new Map([[0, await decideThread(tx, thread, batch, unprocessed[0]!)]])
    : (await decideItems(tx, thread, batch, unprocessed)).results
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

/** Processes an item that is the thread itself. */
const decideThread = (
  tx: Tx,
  thread: ThreadKey,
  batch: Batch,
  { seenState: seen, undoes }: OpenItem,
): Promise<DecisionResult> => {
  const origin = { siteId: batch.siteId, by: batch.by, batchId: batch.id }
  if (undoes !== null) return undoSettings(tx, thread, { decisionId: undoes, origin })
  const { to, ...explanation } = batch.request as StateRequest
  return decideState(tx, thread, { seen, to, origin: { ...origin, ...explanation } })
}

function* groupByThread(items: readonly OpenItem[]): Generator<OpenItem[]> {
  for (const ofThread of Map.groupBy(items, ({ threadId }) => threadId).values())
    for (let at = 0; at < ofThread.length; at += ITEMS_OF_THREAD)
      yield ofThread.slice(at, at + ITEMS_OF_THREAD)
}
