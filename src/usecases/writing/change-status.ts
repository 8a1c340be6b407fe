import { FIRST_INSTANT, type Instant } from '../../domain/instant.ts'
import { isShown, isVisible, type Status } from '../../domain/status.ts'
import type { CommentForWrite } from '../../postgres/comments.ts'
import { countReply, moveComment } from '../../postgres/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { moveDescendants } from '../../postgres/subtrees.ts'
import { addToThread, takeFromThread } from '../../postgres/threads.ts'

export type StatusChange = {
  readonly siteId: number
  readonly to: Status
  /** `same`: what hangs below it and has the same status goes along. */
  readonly replies: 'keep' | 'same'
}

export type Changed = {
  readonly movedIds: readonly number[]
  /** The thread's new version; undefined when no reader can see a difference. */
  readonly version: number | undefined
}

/**
 * Gives a comment another status, with everything that follows: its descendants if they go along,
 * the tombstones above it, the thread's counts and version. The thread is held alone, and the
 * comment has been read under that lock.
 */
export const changeStatus = async (
  tx: Tx,
  comment: CommentForWrite,
  { siteId, to, replies }: StatusChange,
): Promise<Changed> => {
  const { status: from, threadId, id } = comment
  await moveComment(tx, { siteId, threadId, id }, { from, to })
  const { moved, topReplyCount } =
    replies === 'same'
      ? await moveDescendants(tx, { siteId, threadId, topId: id, from, to })
      : { moved: [], topReplyCount: comment.replyCount }
  await followShown(tx, siteId, comment, { status: to, replyCount: topReplyCount })
  const movedIds = moved.map((member) => member.id)
  if (!isVisible(from) && !isVisible(to)) return { movedIds, version: undefined }
  const by = { comments: 1 + movedIds.length, roots: comment.parentId === 0 ? 1 : 0 }
  if (!isVisible(to)) return { movedIds, version: await takeFromThread(tx, siteId, threadId, by) }
  const version = await addToThread(tx, siteId, threadId, {
    ...by,
    newest: newestOf([comment, ...moved]),
    title: comment.articleTitle,
    url: comment.articleUrl,
  })
  return { movedIds, version }
}

const newestOf = (moved: readonly { createdAt: Instant }[]): Instant =>
  moved.reduce((newest, { createdAt }) => (createdAt > newest ? createdAt : newest), FIRST_INSTANT)

const followShown = async (
  tx: Tx,
  siteId: number,
  before: CommentForWrite,
  after: { status: Status; replyCount: number },
): Promise<void> => {
  if (isShown(before) === isShown(after)) return
  await countReply(tx, siteId, before, isShown(after) ? 1 : -1)
}
