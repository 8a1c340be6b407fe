import { countReplies } from '../../domain/comment/branch.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import {
  listAncestorPaths,
  type StatusTransition,
  updateStatuses,
  writeReplyCounts,
} from '../../postgres/comments/branches.ts'
import type { CommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { adjustThreadCounts } from '../../postgres/threads/threads.ts'

export type ThreadKey = { readonly siteId: number; readonly threadId: number }

export type StatusChange = {
  /** The thread's new version; undefined if readers see no difference. */
  readonly version: number | undefined
  /** When each comment was first published. */
  readonly published: Awaited<ReturnType<typeof updateStatuses>>
}

/**
 * Changes the statuses of comments in one thread, then the tombstones above them, the thread's counts
 * and its version. The caller holds the exclusive thread lock and has read the comments under it. The
 * cost depends on the number and depth of the comments, not on the size of the thread.
 */
export const changeStatuses = async (
  tx: Tx,
  thread: ThreadKey,
  transitions: readonly StatusTransition[],
): Promise<StatusChange> => {
  const seen = transitions.filter(({ from, to }) => isVisible(from) || isVisible(to))
  if (seen.length === 0)
    return { version: undefined, published: await updateStatuses(tx, thread, transitions) }
  const ids = seen.map(({ id }) => id)
  const paths = await listAncestorPaths(tx, thread, ids)
  const published = await updateStatuses(tx, thread, transitions)
  const counts = countReplies(paths, new Map(seen.map(({ id, to }) => [id, to])))
  if (counts.size > 0) await writeReplyCounts(tx, thread, counts)
  const roots = new Set(paths.filter(({ parentId }) => parentId === 0).map(({ id }) => id))
  const version = await adjustThreadCounts(tx, thread, {
    comments: visibleGain(seen),
    roots: visibleGain(seen.filter(({ id }) => roots.has(id))),
    newIds: seen.filter(({ to }) => isVisible(to)).map(({ id }) => id),
  })
  return { version, published }
}

/** `changeStatuses` for one comment. */
export const changeStatus = (
  tx: Tx,
  { threadId, id, status: from }: CommentForWrite,
  { siteId, to }: { siteId: number; to: Status },
): Promise<StatusChange> => changeStatuses(tx, { siteId, threadId }, [{ id, from, to }])

/** How many more comments readers see after the transitions; negative if fewer. */
const visibleGain = (transitions: readonly StatusTransition[]): number =>
  transitions.reduce(
    (sum, { from, to }) => sum + Number(isVisible(to)) - Number(isVisible(from)),
    0,
  )
