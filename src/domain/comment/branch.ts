import { isShown, type Status } from './status.ts'

/** A comment as far as the shape of its branch matters. */
export type BranchNode = {
  readonly id: number
  readonly parentId: number
  readonly status: Status
}

type Node = Pick<BranchNode, 'id' | 'parentId'>

/**
 * The comments below `topId`, by id.
 * @param nodes by id; a parent's id is smaller than its replies' ids
 */
export const descendantsOf = <T extends Node>(topId: number, nodes: readonly T[]): T[] => {
  const inside = new Set([topId])
  return nodes.filter(({ id, parentId }) => inside.has(parentId) && inside.add(id))
}

/** The comments with these ids and every comment below them, by id. @param nodes by id */
export const branchesOf = <T extends Node>(topIds: Iterable<number>, nodes: readonly T[]): T[] => {
  const inside = new Set(topIds)
  return nodes.filter(
    ({ id, parentId }) => inside.has(id) || (inside.has(parentId) && inside.add(id)),
  )
}

/** The root comment above each comment. @param nodes by id */
const rootsOf = (nodes: readonly Node[]): Map<number, number> => {
  const roots = new Map<number, number>()
  for (const { id, parentId } of nodes) roots.set(id, roots.get(parentId) ?? id)
  return roots
}

const countByRoot = (roots: ReadonlyMap<number, number>): Map<number, number> => {
  const sizes = new Map<number, number>()
  for (const root of roots.values()) sizes.set(root, (sizes.get(root) ?? 0) + 1)
  return sizes
}

/** The number of comments in the largest branch of a root comment. @param nodes by id */
export const largestBranch = (nodes: readonly Node[]): number =>
  countByRoot(rootsOf(nodes))
    .values()
    .reduce((most, size) => Math.max(most, size), 0)

/**
 * Takes whole branches in the given order, as many as have at most `limit` comments together, and at least one.
 * @param rootIds roots that are among the nodes
 * @param nodes by id
 */
export const takeBranches = <T extends Node>(
  rootIds: readonly number[],
  nodes: readonly T[],
  limit: number,
): { taken: number[]; movers: T[] } => {
  const roots = rootsOf(nodes)
  const sizes = countByRoot(roots)
  const taken: number[] = []
  let number = 0
  for (const id of rootIds) {
    number += sizes.get(id) ?? 0
    if (taken.length > 0 && number > limit) break
    taken.push(id)
  }
  const inside = new Set(taken)
  return { taken, movers: nodes.filter(({ id }) => inside.has(roots.get(id)!)) }
}

/**
 * The replies to which a decision cascades: comments below a decided comment that have the same status.
 * @param decidedIds comments that the decision names; they are not part of the result
 * @param nodes all comments of the thread from the first decided comment on, by id
 * @returns each reply with the nearest decided ancestor of the same status
 */
export const listCascaded = <T extends BranchNode>(
  decidedIds: ReadonlySet<number>,
  nodes: readonly T[],
): { node: T; causeId: number }[] => {
  const cascaded: { node: T; causeId: number }[] = []
  /** For each comment, the nearest decided comment at or above it, by status. */
  const nearestDecided = new Map<number, Partial<Record<Status, number>>>()
  for (const node of nodes) {
    const above = nearestDecided.get(node.parentId)
    const isDecided = decidedIds.has(node.id)
    const here = isDecided ? { ...above, [node.status]: node.id } : above
    if (here) nearestDecided.set(node.id, here)
    const causeId = above?.[node.status]
    if (!isDecided && causeId !== undefined) cascaded.push({ node, causeId })
  }
  return cascaded
}

/**
 * Recounts shown replies after comments changed status. A comment that appears or disappears changes its
 * parent's count; if that makes a tombstone appear or disappear, the grandparent's count changes too.
 * @param path the changed comments and all their ancestors before the change, largest id first
 * @param statuses the new statuses of the changed comments
 * @returns the new counts of the comments whose count changed
 */
export const countReplies = (
  path: readonly (BranchNode & { readonly replyCount: number })[],
  statuses: ReadonlyMap<number, Status>,
): Map<number, number> => {
  const counts = new Map<number, number>()
  const known = new Map(path.map((node) => [node.id, node]))
  for (const node of path) {
    const replyCount = counts.get(node.id) ?? node.replyCount
    const isNow = isShown({ status: statuses.get(node.id) ?? node.status, replyCount })
    const parent = known.get(node.parentId)
    if (!parent || isNow === isShown(node)) continue
    counts.set(parent.id, (counts.get(parent.id) ?? parent.replyCount) + (isNow ? 1 : -1))
  }
  return counts
}
