import type { Instant } from '../instant.ts'

/** A stored comment that imported comments hang below, or an ancestor of one. */
export type StoredPlace = {
  readonly id: number
  /** 0: a root comment. */
  readonly parentId: number
  readonly depth: number
  readonly homeThreadId: number | null
  readonly isVisible: boolean
  readonly createdAt: Instant
  readonly replyCount: number
  readonly activeAt: Instant
}

/** A comment that gets a place. Its parent is stored, or comes before it; null: it is a root comment. */
export type Unplaced = {
  readonly id: number
  readonly parentId: number | null
  readonly isVisible: boolean
  readonly createdAt: Instant
}

export type Placed = {
  readonly id: number
  readonly parentId: number
  readonly parentHomeThreadId: number | null
  readonly depth: number
  readonly replyCount: number
  readonly activeAt: Instant
  /** Whether the depth limit moved it up. */
  readonly isCut: boolean
}

/** A stored comment with more shown replies than before. */
export type GrownPlace = {
  readonly id: number
  readonly replyCount: number
  readonly activeAt: Instant
}

type Node = {
  id: number
  parentId: number
  parentHomeThreadId: number | null
  homeThreadId: number | null
  depth: number
  isVisible: boolean
  replyCount: number
  activeAt: Instant
  createdAt: Instant
  isStored: boolean
  isCut: boolean
}

/**
 * Gives comments of one thread their parents and depths, and counts the replies that are shown. A comment below
 * the depth limit becomes a sibling of its parent. The result is what posting them one after the other would store.
 * @param stored the parents of the comments with all their ancestors
 */
export const placeComments = (
  comments: readonly Unplaced[],
  stored: readonly StoredPlace[],
  maxDepth: number,
): { readonly placed: readonly Placed[]; readonly grown: readonly GrownPlace[] } => {
  const nodes = new Map<number, Node>()
  for (const place of stored)
    nodes.set(place.id, { ...place, parentHomeThreadId: null, isStored: true, isCut: false })
  const grown = new Set<Node>()
  const placed = comments.map((comment): Node => {
    const node = nodeOf(comment, nodes, maxDepth)
    nodes.set(node.id, node)
    if (node.isVisible) addShown(node, nodes, grown)
    return node
  })
  const older = [...grown].filter(({ isStored }) => isStored)
  return { placed, grown: older }
}

const nodeOf = (
  { id, parentId, isVisible, createdAt }: Unplaced,
  nodes: ReadonlyMap<number, Node>,
  maxDepth: number,
): Node => {
  let parent = nodes.get(parentId ?? 0)
  let isCut = false
  while (parent && parent.depth >= maxDepth) {
    parent = nodes.get(parent.parentId)
    isCut = true
  }
  return {
    id,
    parentId: parent?.id ?? 0,
    parentHomeThreadId: parent?.homeThreadId ?? null,
    homeThreadId: null,
    depth: parent ? parent.depth + 1 : 0,
    isVisible,
    replyCount: 0,
    activeAt: createdAt,
    createdAt,
    isStored: false,
    isCut,
  }
}

const isShown = ({ isVisible, replyCount }: Node): boolean => isVisible || replyCount > 0

/** Counts a shown comment for its parent. A parent that becomes a tombstone counts for its own parent. */
const addShown = (node: Node, nodes: ReadonlyMap<number, Node>, grown: Set<Node>): void => {
  for (let child = node; ; ) {
    const parent = nodes.get(child.parentId)
    if (!parent) return
    const wasShown = isShown(parent)
    parent.replyCount += 1
    if (child.createdAt > parent.activeAt) parent.activeAt = child.createdAt
    grown.add(parent)
    if (wasShown) return
    child = parent
  }
}
