import type { Job, JobResult } from '../../domain/job.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { reportProgress } from '../../postgres/jobs/jobs.ts'
import { listThreadsOf } from '../../postgres/people/authors.ts'
import { touchThreads } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { invalidate } from '../invalidate.ts'

/** One transaction locks this many thread rows for some milliseconds. */
const BATCH_THREADS = 200

/**
 * Gives every thread that shows an author a new version. A comment that is published meanwhile is in
 * the list, or its own thread got its version after the author had changed. An interrupted run
 * starts anew.
 */
export const refreshAuthor = async (
  context: Context,
  job: Job<'refresh_author'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  const { siteId, payload } = job
  const threadIds = await runQuery(listThreadsOf(context.db, { siteId, ...payload }))
  for (let at = 0; at < threadIds.length; at += BATCH_THREADS) {
    if (signal.aborted) return { againInMs: 0 }
    const batch = threadIds.slice(at, at + BATCH_THREADS)
    await inTransaction(context.writes, (tx) => touchThreads(tx, siteId, batch))
    await invalidate(context, { siteId, threadIds: batch })
    if (!(await runQuery(reportProgress(context.writes, job, batch.length)))) return 'done'
  }
  // The lists of the site and its staff show authors too.
  if (threadIds.length === 0) await invalidate(context, { siteId, threadIds })
  return 'done'
}
