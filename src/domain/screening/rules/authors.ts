import type { Policy } from '../policy.ts'
import { type RuleFunction, sayCount } from './rule.ts'

type Rules = Policy['rules']

export const role =
  ({ roles }: Rules['role']): RuleFunction =>
  (_draft, { author }) =>
    roles.includes(author.role)
      ? { says: 'approved', score: 0, evidence: `its author is ${author.role}, which is trusted` }
      : undefined

export const firstComments =
  ({ approved, says }: Rules['first_comments']): RuleFunction =>
  (_draft, { author }) => {
    if (author.approved >= approved) return undefined
    const had = sayCount(author.approved, 'approved comment')
    return { says, score: 10, evidence: `its author has ${had}, and needs ${approved}` }
  }

export const rejections =
  ({ decided, percent, says }: Rules['rejections']): RuleFunction =>
  (_draft, { author: { recentApproved, recentRejected } }) => {
    const all = recentApproved + recentRejected
    const share = Math.round((recentRejected * 100) / Math.max(1, all))
    if (all < Math.max(1, decided) || recentRejected * 100 < percent * all) return undefined
    const turnedDown = `${recentRejected} of the author's last ${sayCount(all, 'comment')}`
    return { says, score: share, evidence: `${turnedDown} in 30 days were turned down` }
  }
