import type { Instant } from './instant.ts'
import { isShown, type Status } from './status.ts'

export type Member = {
  readonly id: number
  readonly parentId: number
  readonly status: Status
  readonly createdAt: Instant
}

export type Tally = { readonly replyCount: number; readonly activeAt: Instant }

/** The comments below `topId`, in order of id. Parents have smaller ids than their replies. */
export const descendantsOf = <T extends Member>(topId: number, members: readonly T[]): T[] => {
  const inside = new Set([topId])
  return members.filter(({ id, parentId }) => inside.has(parentId) && inside.add(id))
}

/**
 * What `reply_count` and `active_at` must be for each member, from the statuses alone.
 * @param members a comment and all its descendants, in order of id
 */
export const tally = (members: readonly Member[]): Map<number, Tally> => {
  const tallies = new Map<number, Tally>(
    members.map(({ id, createdAt }) => [id, { replyCount: 0, activeAt: createdAt }]),
  )
  for (const member of members.toReversed()) {
    const parent = tallies.get(member.parentId)
    const { replyCount } = tallies.get(member.id)!
    if (!parent || !isShown({ status: member.status, replyCount })) continue
    tallies.set(member.parentId, {
      replyCount: parent.replyCount + 1,
      activeAt: parent.activeAt > member.createdAt ? parent.activeAt : member.createdAt,
    })
  }
  return tallies
}
