import { runQuery } from '../../postgres/connection/transaction.ts'
import { type AuthorTask, listAuthorTasks } from '../../postgres/jobs/author-tasks.ts'
import type { Context } from '../context.ts'
import { redactErasedComments } from './redact-erased-comments.ts'
import { refreshAuthor } from './refresh-author.ts'

const MAX_TASKS = 100

const DOING: Record<AuthorTask['kind'], (context: Context, task: AuthorTask) => Promise<unknown>> =
  {
    refresh: refreshAuthor,
    erase: redactErasedComments,
  }

/**
 * Does what is left to do for authors, whichever node was asked for it. One that fails does not keep
 * the others waiting; the first failure is thrown at the end.
 */
export const runAuthorTasks = async (context: Context, signal: AbortSignal): Promise<void> => {
  const failures: unknown[] = []
  for (const task of await runQuery(listAuthorTasks(context.db, MAX_TASKS))) {
    if (signal.aborted) return
    await DOING[task.kind](context, task).catch((error) => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
}
