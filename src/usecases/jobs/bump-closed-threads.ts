import { inTransaction } from '../../postgres/connection/transaction.ts'
import { type ClosedThread, lockJustClosedThreads } from '../../postgres/threads/closing.ts'
import { touchThreads } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { invalidate } from '../invalidate.ts'

/** One transaction locks this many thread rows for some milliseconds. */
const BATCH_THREADS = 200

/**
 * Gives every thread that has closed by itself a new version, for clients that compare versions. Posts
 * are refused from the closing time on, and pages show it within a second.
 */
export const bumpClosedThreads = async (context: Context, signal: AbortSignal): Promise<void> => {
  for (let isOver = false; !isOver && !signal.aborted; ) {
    const closed = await inTransaction(context.writes, async (tx) => {
      const threads = await lockJustClosedThreads(tx, BATCH_THREADS)
      for (const [siteId, ids] of bySite(threads)) await touchThreads(tx, siteId, ids)
      return threads
    })
    for (const [siteId, threadIds] of bySite(closed))
      await invalidate(context, { siteId, threadIds })
    isOver = closed.length < BATCH_THREADS
  }
}

const bySite = (threads: readonly ClosedThread[]): [number, number[]][] =>
  [...Map.groupBy(threads, ({ siteId }) => siteId)].map(([siteId, those]) => [
    siteId,
    those.map(({ id }) => id),
  ])
