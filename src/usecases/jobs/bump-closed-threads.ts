import { inTransaction } from '../../postgres/connection/transaction.ts'
import { touchThreads } from '../../postgres/jobs/author-tasks.ts'
import { type ClosedThread, lockJustClosedThreads } from '../../postgres/threads/closing.ts'
import type { Context } from '../context.ts'
import { invalidate } from '../invalidate.ts'

/** Held together for some milliseconds. */
const BATCH_THREADS = 200

/**
 * Gives every thread that has closed by itself a new version. Writers are refused from the moment on, and
 * pages tell of it within a second; this is for whoever goes by the version.
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
