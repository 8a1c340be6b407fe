import type { Job, JobResult } from '../../domain/job.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { reportProgress } from '../../postgres/jobs/jobs.ts'
import { listThreadsOf } from '../../postgres/people/authors.ts'
import { touchThreads } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { invalidate, withInvalidation } from '../invalidate.ts'

/** One transaction locks this many thread rows for some milliseconds. */
const BATCH_THREADS = 200

/**
 * Gives every thread that shows an author a new version, so that every page of them is built anew. A comment
 * that is published meanwhile is in the list, or its own thread got its version after the author had changed.
 * @param mayContinue is asked after each transaction, with its number of threads
 */
export const touchThreadsOf = async (
  context: Context,
  author: { readonly siteId: number; readonly authorId: number },
  mayContinue: (touched: number) => Promise<boolean> = async () => true,
): Promise<boolean> => {
  const { siteId } = author
  const threadIds = await runQuery(listThreadsOf(context.db, author))
  // The lists of the site and its staff show authors too.
  if (threadIds.length === 0) await invalidate(context, { siteId, threadIds })
  for (let at = 0; at < threadIds.length; at += BATCH_THREADS) {
    const batch = threadIds.slice(at, at + BATCH_THREADS)
    await withInvalidation(context, { siteId, threadIds: batch, isHide: true }, () =>
      inTransaction(context.writes, (tx) => touchThreads(tx, siteId, batch)),
    )
    if (!(await mayContinue(batch.length))) return false
  }
  return true
}

/** Shows a changed author in every thread. An interrupted run starts anew. */
export const refreshAuthor = async (
  context: Context,
  job: Job<'refresh_author'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  const author = { siteId: job.siteId, ...job.payload }
  await touchThreadsOf(
    context,
    author,
    async (touched) =>
      !signal.aborted && (await runQuery(reportProgress(context.writes, job, touched))),
  )
  return signal.aborted ? { againInMs: 0 } : 'done'
}
