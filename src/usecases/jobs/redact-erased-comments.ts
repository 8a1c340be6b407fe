import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, inTransaction } from '../../postgres/connection/transaction.ts'
import {
  type AuthorTask,
  deleteAuthorTask,
  tryLockAuthorTask,
} from '../../postgres/jobs/author-tasks.ts'
import {
  findWritings,
  redactAppeals,
  redactComments,
  redactVotesAndFlags,
} from '../../postgres/people/erasure.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'

/** A tree above each of them has to follow, under the lock on the thread. */
const BATCH_COMMENTS = 100

/**
 * Redacts what an erased author wrote, some comments of one thread at a time: they are deleted as by
 * their author, so that tombstones keep the places that replies need, and their texts go.
 * @returns whether all is done; else another node is at it
 */
export const redactErasedComments = async (
  context: Context,
  task: AuthorTask,
  isEnough: () => boolean = () => false,
): Promise<boolean> => {
  for (;;) {
    const some = await findWritings(context.db, { ...task, limit: BATCH_COMMENTS })
    if (!some) break
    if (isEnough()) return false
    const changes = { siteId: task.siteId, threadIds: [some.threadId], isHide: true }
    const isOurs = await withInvalidation(context, changes, () =>
      inTransaction(context.writes, (tx) => eraseSome(tx, task, some)),
    )
    if (!isOurs) return false
  }
  await inTransaction(context.writes, async (tx) => {
    await redactVotesAndFlags(tx, task)
    await redactAppeals(tx, task)
    await deleteAuthorTask(tx, task)
  })
  return true
}

const eraseSome = async (
  tx: Tx,
  task: AuthorTask,
  { threadId, ids }: { threadId: number; ids: readonly number[] },
): Promise<boolean> => {
  const { siteId } = task
  if (!(await tryLockAuthorTask(tx, task))) return false
  await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  for (const id of ids) {
    const comment = await findCommentForWrite(tx, { siteId, threadId, id })
    if (comment && comment.status !== 'deleted')
      await changeStatus(tx, comment, { siteId, to: 'deleted' })
  }
  await redactComments(tx, { siteId, threadId, ids })
  return true
}
