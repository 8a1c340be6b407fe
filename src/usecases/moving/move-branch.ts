import { branchesOf, countReplies } from '../../domain/comment/branch.ts'
import { isShown, isVisible } from '../../domain/comment/status.ts'
import { type CommentKey, homeThreadIdOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listAncestorPaths, writeReplyCounts } from '../../postgres/comments/branches.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import { listMovers, type Mover, relocate } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { recountThread } from '../../postgres/threads/threads.ts'

/** Whoever writes to either thread waits so long as it takes to move so many: two seconds. */
const MAX_MOVED = 5_000

/** Holds threads alone in order of id, as whoever holds several must. */
export const acquireThreadLocks = async (
  tx: Tx,
  siteId: number,
  threadIds: readonly number[],
): Promise<void> => {
  for (const threadId of [...new Set(threadIds)].toSorted((a, b) => a - b))
    await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
}

export type Destination = {
  readonly threadId: number
  /** Undefined: it becomes a root. Null: a reply to something that cannot exist. */
  readonly parent: CommentKey | null | undefined
  /** It goes back to where it was: below a tombstone, if that is what its parent is. */
  readonly isReturn?: boolean
}

/**
 * Takes a comment with all that hangs below it to another place, with everything that follows: depths,
 * the tombstones above both places, the counts and versions of both threads. Both are held alone, and
 * the comment has been read under these locks.
 * @returns the new version of the thread where it is now; undefined when no reader can see a difference
 */
export const moveSubtree = async (
  tx: Tx,
  site: Site,
  { top, to }: { top: CommentForWrite; to: Destination },
): Promise<number | undefined> => {
  const parent = await findParent(tx, site, to)
  assertMayMove(top, to.threadId, parent)
  const siteId = site.id
  const from = top.threadId
  const members = await listMovers(tx, { siteId, threadId: from }, top.id)
  const movers = branchesOf([top.id], members)
  const depthBy = (parent ? parent.depth + 1 : 0) - top.depth
  assertFits(movers, { depthBy, maxDepth: site.maxDepth })
  const { id, homeThreadId = null } = parent ?? { id: 0 }
  const place = { id: top.id, parentId: id, parentHomeThreadId: homeThreadId }
  const isWhole = from !== to.threadId || depthBy !== 0
  const ids = isWhole ? movers.map((mover) => mover.id) : [top.id]
  await relocate(tx, { siteId, from, to: to.threadId, depthBy, top: place }, ids)
  if (isShown(top)) {
    await countPlace(tx, { siteId, threadId: from }, { child: top, isThere: false })
    const child = { id: top.id, parentId: id }
    await countPlace(tx, { siteId, threadId: to.threadId }, { child, isThere: true })
  }
  const roots = isVisible(top.status)
    ? { before: Number(top.parentId === 0), after: Number(id === 0) }
    : { before: 0, after: 0 }
  return countMoved(tx, siteId, { from, to: to.threadId, movers, roots })
}

/** Something that is shown has come to a place below a comment, or gone from there. */
const countPlace = async (
  tx: Tx,
  place: { siteId: number; threadId: number },
  { child, isThere }: { child: { id: number; parentId: number }; isThere: boolean },
): Promise<void> => {
  const { id, parentId } = child
  if (parentId === 0) return
  const [before, after] = isThere
    ? (['deleted', 'approved'] as const)
    : (['approved', 'deleted'] as const)
  const line = { id, parentId, status: before, replyCount: 0 }
  const lines = [line, ...(await listAncestorPaths(tx, place, [parentId]))]
  const counts = countReplies(lines, new Map([[id, after]]))
  if (counts.size > 0) await writeReplyCounts(tx, place, counts)
}

/** Readers can read it, as one that a reply is posted to; but for a return. */
const findParent = async (
  tx: Tx,
  site: Site,
  { threadId, parent, isReturn = false }: Destination,
): Promise<CommentForWrite | undefined> => {
  if (parent === undefined) return undefined
  const at = { siteId: site.id, threadId, id: parent?.id ?? 0 }
  const found = await findCommentForWrite(tx, at)
  const isMeant = found && parent && homeThreadIdOf(found) === homeThreadIdOf(parent)
  if (!isMeant || !(isReturn || isVisible(found.status))) throw new Refusal('parent_not_found')
  return found
}

/** All that hangs below a comment is younger than it, so that none of it can be its parent either. */
const assertMayMove = (
  top: CommentForWrite,
  threadId: number,
  parent: CommentForWrite | undefined,
): void => {
  const parentId = parent?.id ?? 0
  if (threadId === top.threadId && parentId === top.parentId)
    throw new Refusal('invalid_request', { '/parent_id': 'is where the comment is already' })
  if (parentId >= top.id) throw new Refusal('move_not_allowed')
}

const assertNotTooMany = (movers: readonly Mover[]): void => {
  if (movers.length > MAX_MOVED) throw new Refusal('move_not_allowed')
}

const assertFits = (
  movers: readonly Mover[],
  { depthBy, maxDepth }: { depthBy: number; maxDepth: number },
): void => {
  assertNotTooMany(movers)
  const deepest = movers.reduce((most, { depth }) => Math.max(most, depth), 0)
  if (depthBy > 0 && deepest + depthBy > maxDepth) throw new Refusal('depth_exceeded')
}

/**
 * Takes whole trees to another thread, as roots. Both are held alone.
 * @returns the new version of the thread where they are now; undefined when no reader can see a difference
 */
export const moveTrees = async (
  tx: Tx,
  siteId: number,
  { from, to, movers }: Omit<Moved, 'roots'>,
): Promise<number | undefined> => {
  assertNotTooMany(movers)
  const ids = movers.map(({ id }) => id)
  await relocate(tx, { siteId, from, to, depthBy: 0 }, ids)
  const roots = movers.filter(({ parentId, status }) => parentId === 0 && isVisible(status)).length
  return countMoved(tx, siteId, { from, to, movers, roots: { before: roots, after: roots } })
}

type Moved = {
  readonly from: number
  readonly to: number
  readonly movers: readonly Mover[]
  /** How many of them are visible roots. */
  readonly roots: { readonly before: number; readonly after: number }
}

/**
 * Counts what has moved with both threads, whose rows are taken in order of id.
 * @returns the new version of the second; undefined when no reader can see a difference
 */
const countMoved = async (
  tx: Tx,
  siteId: number,
  { from, to, movers, roots }: Moved,
): Promise<number | undefined> => {
  const comments = movers.filter(({ status }) => isVisible(status)).length
  if (comments === 0) return undefined
  const count = (threadId: number, by: { comments: number; roots: number }) =>
    recountThread(tx, { siteId, threadId }, { ...by, newIds: [] })
  if (from === to) return count(to, { comments: 0, roots: roots.after - roots.before })
  const take = () => count(from, { comments: -comments, roots: -roots.before })
  if (from < to) await take()
  const version = await count(to, { comments, roots: roots.after })
  if (from > to) await take()
  return version
}
