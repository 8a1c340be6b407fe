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
import { recountThread } from '../../postgres/threads/threads.ts'

type Place = { readonly siteId: number; readonly threadId: number }

export type Changed = {
  /** The thread's new version; undefined when no reader can see a difference. */
  readonly version: number | undefined
  /** When each of the comments was published first. */
  readonly published: Awaited<ReturnType<typeof updateStatuses>>
}

/**
 * Gives comments of one thread other statuses, with everything that follows: the tombstones above them,
 * the thread's counts and version. The thread is held alone, and the comments have been read under that
 * lock. What it costs depends on how many they are and how deep, not on the size of the thread.
 */
export const changeStatuses = async (
  tx: Tx,
  place: Place,
  moves: readonly StatusTransition[],
): Promise<Changed> => {
  const seen = moves.filter(({ from, to }) => isVisible(from) || isVisible(to))
  if (seen.length === 0)
    return { version: undefined, published: await updateStatuses(tx, place, moves) }
  const ids = seen.map(({ id }) => id)
  const lines = await listAncestorPaths(tx, place, ids)
  const published = await updateStatuses(tx, place, moves)
  const counts = countReplies(lines, new Map(seen.map(({ id, to }) => [id, to])))
  if (counts.size > 0) await writeReplyCounts(tx, place, counts)
  const roots = new Set(lines.filter(({ parentId }) => parentId === 0).map(({ id }) => id))
  const version = await recountThread(tx, place, {
    comments: balanceOf(seen),
    roots: balanceOf(seen.filter(({ id }) => roots.has(id))),
    newIds: seen.filter(({ to }) => isVisible(to)).map(({ id }) => id),
  })
  return { version, published }
}

/** The same for one. */
export const changeStatus = (
  tx: Tx,
  { threadId, id, status: from }: CommentForWrite,
  { siteId, to }: { siteId: number; to: Status },
): Promise<Changed> => changeStatuses(tx, { siteId, threadId }, [{ id, from, to }])

/** How many more there are that readers can read. */
const balanceOf = (moves: readonly StatusTransition[]): number =>
  moves.reduce((sum, { from, to }) => sum + Number(isVisible(to)) - Number(isVisible(from)), 0)
