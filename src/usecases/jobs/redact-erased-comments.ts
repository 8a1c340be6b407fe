import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction, lockThread } from '../../postgres/connection/transaction.ts'
import {
  type AuthorTask,
  deleteAuthorTask,
  tryAuthorTask,
} from '../../postgres/jobs/author-tasks.ts'
import {
  findWritings,
  redactAppeals,
  redactComments,
  redactOpinions,
} from '../../postgres/people/erasure.ts'
import type { World } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { announcing } from '../invalidate.ts'

/** A tree above each of them has to follow, under the lock on the thread. */
const BATCH_COMMENTS = 100

/**
 * Redacts what an erased author wrote, some comments of one thread at a time: they are deleted as by
 * their author, so that tombstones keep the places that replies need, and their texts go.
 * @returns whether all is done; else another node is at it
 */
export const eraseWritings = async (
  world: World,
  task: AuthorTask,
  isEnough: () => boolean = () => false,
): Promise<boolean> => {
  for (;;) {
    const some = await findWritings(world.db, { ...task, limit: BATCH_COMMENTS })
    if (!some) break
    if (isEnough()) return false
    const changes = { siteId: task.siteId, threadIds: [some.threadId], isHide: true }
    const isOurs = await announcing(world, changes, () =>
      inTransaction(world.writes, (tx) => eraseSome(tx, task, some)),
    )
    if (!isOurs) return false
  }
  await inTransaction(world.writes, async (tx) => {
    await redactOpinions(tx, task)
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
  if (!(await tryAuthorTask(tx, task))) return false
  await lockThread(tx, { siteId, threadId }, 'alone')
  for (const id of ids) {
    const comment = await findCommentForWrite(tx, { siteId, threadId, id })
    if (comment && comment.status !== 'deleted')
      await changeStatus(tx, comment, { siteId, to: 'deleted' })
  }
  await redactComments(tx, { siteId, threadId, ids })
  return true
}
