import { inTransaction } from '../../postgres/connection/transaction.ts'
import {
  type AuthorTask,
  deleteAuthorTask,
  listThreadsOf,
  touchThreads,
  tryLockAuthorTask,
} from '../../postgres/jobs/author-tasks.ts'
import type { Context } from '../context.ts'
import { invalidate } from '../invalidate.ts'

/** Held together for some milliseconds. */
const BATCH_THREADS = 200

/**
 * Gives every thread that shows an author a new version. A comment that is published meanwhile is in
 * the list, or its own thread got its version after the author had changed. A node that dies leaves
 * the task to the next that looks, which begins anew.
 */
export const refreshAuthor = async (context: Context, task: AuthorTask): Promise<void> => {
  const { siteId } = task
  const threadIds = await listThreadsOf(context.db, task)
  for (let at = 0; at < threadIds.length; at += BATCH_THREADS) {
    const batch = threadIds.slice(at, at + BATCH_THREADS)
    const isOurs = await inTransaction(context.writes, async (tx) => {
      if (!(await tryLockAuthorTask(tx, task))) return false
      await touchThreads(tx, siteId, batch)
      return true
    })
    if (!isOurs) return
    await invalidate(context, { siteId, threadIds: batch })
  }
  // The lists of the site and its staff show authors too.
  if (threadIds.length === 0) await invalidate(context, { siteId, threadIds })
  await inTransaction(context.writes, (tx) => deleteAuthorTask(tx, task))
}
