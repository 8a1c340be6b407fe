import { isShown, type Status } from './status.ts'

export type BranchNode = {
  readonly id: number
  readonly parentId: number
  readonly status: Status
}

type Node = Pick<BranchNode, 'id' | 'parentId'>

/** The comments below `topId`, in order of id. Parents have smaller ids than their replies. */
export const descendantsOf = <T extends Node>(topId: number, members: readonly T[]): T[] => {
  const inside = new Set([topId])
  return members.filter(({ id, parentId }) => inside.has(parentId) && inside.add(id))
}

/** Comments and all that hangs below them, in order of id. @param members in order of id */
export const branchesOf = <T extends Node>(
  topIds: Iterable<number>,
  members: readonly T[],
): T[] => {
  const inside = new Set(topIds)
  return members.filter(
    ({ id, parentId }) => inside.has(id) || (inside.has(parentId) && inside.add(id)),
  )
}

/**
 * Who goes along when comments get another status: whatever hangs below one of them and has the status
 * that it had, but not what is asked for by itself.
 * @param tops those that are asked for, by id
 * @param members all of a thread from the first of them on, in order of id: parents come before replies
 * @returns each with the nearest above it that takes it along
 */
export const listCascaded = <T extends BranchNode>(
  tops: ReadonlySet<number>,
  members: readonly T[],
): { member: T; causeId: number }[] => {
  const taken: { member: T; causeId: number }[] = []
  /** For each comment, the nearest of the tops at or above it, by the status that they had. */
  const takers = new Map<number, Partial<Record<Status, number>>>()
  for (const member of members) {
    const above = takers.get(member.parentId)
    const isTop = tops.has(member.id)
    const here = isTop ? { ...above, [member.status]: member.id } : above
    if (here) takers.set(member.id, here)
    const causeId = above?.[member.status]
    if (!isTop && causeId !== undefined) taken.push({ member, causeId })
  }
  return taken
}

/**
 * What other statuses change above their comments: a place in the tree that appears or goes counts with
 * its parent, and where that makes a tombstone appear or vanish, with the parent of that, and so on.
 * @param lines the comments that move and all their ancestors as they were, the last first
 * @param statuses what those that move have now
 * @returns those below which something appeared or went, with how many replies they show now
 */
export const countReplies = (
  lines: readonly (BranchNode & { readonly replyCount: number })[],
  statuses: ReadonlyMap<number, Status>,
): Map<number, number> => {
  const counts = new Map<number, number>()
  const known = new Map(lines.map((line) => [line.id, line]))
  for (const line of lines) {
    const replyCount = counts.get(line.id) ?? line.replyCount
    const isNow = isShown({ status: statuses.get(line.id) ?? line.status, replyCount })
    const parent = known.get(line.parentId)
    if (!parent || isNow === isShown(line)) continue
    counts.set(parent.id, (counts.get(parent.id) ?? parent.replyCount) + (isNow ? 1 : -1))
  }
  return counts
}
