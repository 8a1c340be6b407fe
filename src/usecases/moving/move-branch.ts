import { branchesOf, countReplies } from '../../domain/comment/branch.ts'
import type { ThreadState } from '../../domain/comment/comment.ts'
import { isShown, isVisible } from '../../domain/comment/status.ts'
import { type CommentKey, homeThreadIdOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listAncestorPaths, writeReplyCounts } from '../../postgres/comments/branches.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import { listMovers, type Mover, type Placed, relocate } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { sendTogether } from '../../postgres/connection/pipeline.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { adjustThreadCounts } from '../../postgres/threads/counts.ts'
import { isAnyThreadDeleted } from '../../postgres/threads/deletion.ts'

/** Moving this many comments takes one or two seconds, during which other writes to both threads wait. */
export const MAX_MOVED = 5_000

/**
 * Acquires exclusive thread locks in order of id, so that no two callers deadlock. Refuses with
 * `not_found` if one of the threads was deleted.
 */
export const acquireThreadLocks = async (
  tx: Tx,
  siteId: number,
  threadIds: readonly number[],
): Promise<void> => {
  for (const threadId of [...new Set(threadIds)].toSorted((a, b) => a - b))
    await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  if (await isAnyThreadDeleted(tx, siteId, threadIds)) throw new Refusal('not_found')
}

export type Destination = {
  readonly threadId: number
  /** Undefined: the comment becomes a root. Null: the parent's id names no possible comment. */
  readonly parent: CommentKey | null | undefined
  /** An undo: the parent may be a tombstone. */
  readonly isReturn?: boolean
}

export type MovedBranch = {
  /** The destination thread's new version; undefined if readers see no difference. */
  readonly version: number | undefined
  /** The comments of the branch. */
  readonly movers: readonly Mover[]
  /** Undefined: the top is a root now. */
  readonly parent: CommentForWrite | undefined
}

/**
 * Moves a branch to another thread or parent: updates depths, the tombstones above both parents, and the
 * counts and versions of both threads. The caller holds the exclusive locks of both threads and has read
 * the comment under them.
 */
export const moveBranch = async (
  tx: Tx,
  site: Site,
  { top, destination }: { top: CommentForWrite; destination: Destination },
): Promise<MovedBranch> => {
  const parent = await findParent(tx, site, destination)
  assertMayMove(top, destination.threadId, parent)
  const siteId = site.id
  const [from, to] = [top.threadId, destination.threadId]
  const nodes = await listMovers(tx, { siteId, threadId: from }, top.id)
  const movers = branchesOf([top.id], nodes)
  const depthBy = (parent ? parent.depth + 1 : 0) - top.depth
  assertFits(movers, { depthBy, maxDepth: site.maxDepth })
  const { id: parentId, homeThreadId = null } = parent ?? { id: 0 }
  const movedTop = { id: top.id, parentId, parentHomeThreadId: homeThreadId }
  const isWholeBranchUpdated = from !== to || depthBy !== 0
  const ids = isWholeBranchUpdated ? movers.map(({ id }) => id) : [top.id]
  await relocate(tx, { siteId, from, to, depthBy, top: movedTop }, ids)
  if (isShown(top)) {
    await recountAncestors(tx, { siteId, threadId: from }, { child: top, change: 'removed' })
    await recountAncestors(tx, { siteId, threadId: to }, { child: movedTop, change: 'added' })
  }
  const roots = isVisible(top.status)
    ? { before: Number(top.parentId === 0), after: Number(parentId === 0) }
    : { before: 0, after: 0 }
  const visibleIds = movers.filter(({ status }) => isVisible(status)).map(({ id }) => id)
  const version = await recountThreads(tx, siteId, { from, to, visibleIds, roots })
  return { version, movers, parent }
}

/** Updates the reply counts above a shown comment that was added below its parent or removed from there. */
const recountAncestors = async (
  tx: Tx,
  { siteId, threadId }: { siteId: number; threadId: number },
  { child, change }: { child: { id: number; parentId: number }; change: 'added' | 'removed' },
): Promise<void> => {
  const { id, parentId } = child
  if (parentId === 0) return
  const [before, after] =
    change === 'added' ? (['deleted', 'approved'] as const) : (['approved', 'deleted'] as const)
  const node = { id, parentId, status: before, replyCount: 0 }
  const parent = { threadId, id: parentId }
  const [ancestors] = await sendTogether(tx, [listAncestorPaths(siteId, [parent])])
  const counts = countReplies([node, ...ancestors], new Map([[id, after]]))
  const changed = [...counts].map(([id, count]) => ({ threadId, id, count }))
  if (changed.length > 0) await sendTogether(tx, writeReplyCounts(siteId, changed))
}

/** Comments of a hidden thread that readers would see come only if the moderator asked for it. */
export const assertMayPublish = (
  hasVisible: boolean,
  { from, to, publish }: { from: ThreadState; to: ThreadState; publish: boolean },
): void => {
  if (publish || !hasVisible || from !== 'hidden' || to === 'hidden') return
  throw new Refusal('move_not_allowed', {
    '/publish': 'must be true: readers would see comments of a hidden thread',
  })
}

/** The new parent must be visible, as for a posted reply; only an undo may return below a tombstone. */
const findParent = async (
  tx: Tx,
  site: Site,
  { threadId, parent, isReturn = false }: Destination,
): Promise<CommentForWrite | undefined> => {
  if (parent === undefined) return undefined
  const key = { siteId: site.id, threadId, id: parent?.id ?? 0 }
  const found = await findCommentForWrite(tx, key)
  const isSame = found && parent && homeThreadIdOf(found) === homeThreadIdOf(parent)
  if (!isSame || !(isReturn || isVisible(found.status))) throw new Refusal('parent_not_found')
  return found
}

/** Replies have higher ids than their parents, so a lower id also excludes the branch itself. */
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

const assertFits = (
  movers: readonly Mover[],
  { depthBy, maxDepth }: { depthBy: number; maxDepth: number },
): void => {
  if (movers.length > MAX_MOVED) throw new Refusal('move_not_allowed')
  const deepest = movers.reduce((most, { depth }) => Math.max(most, depth), 0)
  if (depthBy > 0 && deepest + depthBy > maxDepth) throw new Refusal('depth_exceeded')
}

/**
 * Moves branches of root comments to another thread. The caller holds the exclusive locks of both.
 * @returns the destination thread's new version; undefined if readers see no difference
 */
export const moveRootBranches = async (
  tx: Tx,
  siteId: number,
  { from, to, movers }: { from: number; to: number; movers: readonly Placed[] },
): Promise<number | undefined> => {
  const ids = movers.map(({ id }) => id)
  await relocate(tx, { siteId, from, to, depthBy: 0 }, ids)
  const visible = movers.filter((mover) => mover.isVisible)
  const visibleIds = visible.map(({ id }) => id)
  const number = visible.filter(({ parentId }) => parentId === 0).length
  const roots = { before: number, after: number }
  return recountThreads(tx, siteId, { from, to, visibleIds, roots })
}

type Moved = {
  readonly from: number
  readonly to: number
  /** The moved comments that readers can see. */
  readonly visibleIds: readonly number[]
  /** How many of them are roots. */
  readonly roots: { readonly before: number; readonly after: number }
}

/**
 * Updates the counts of both threads.
 * @returns the destination thread's new version; undefined if readers see no difference
 */
const recountThreads = async (
  tx: Tx,
  siteId: number,
  { from, to, visibleIds: newIds, roots }: Moved,
): Promise<number | undefined> => {
  const comments = newIds.length
  if (comments === 0) return undefined
  const gains =
    from === to
      ? [{ threadId: to, comments: 0, roots: roots.after - roots.before }]
      : [
          { threadId: from, comments: -comments, roots: -roots.before },
          { threadId: to, comments, roots: roots.after },
        ]
  const [, versions] = await sendTogether(tx, adjustThreadCounts(siteId, gains, newIds))
  return versions.find(({ id }) => id === to)!.version
}
