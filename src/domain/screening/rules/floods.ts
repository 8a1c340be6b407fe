import type { Policy } from '../policy.ts'
import { type RuleFunction, sayCount } from './rule.ts'

type Rules = Policy['rules']

export const threadFlood =
  ({ max, says }: Rules['thread_flood']): RuleFunction =>
  (_draft, { arrivals }) =>
    arrivals.thread > max
      ? { says, score: 30, evidence: `${inTheLastMinute(arrivals.thread)} came in the thread` }
      : undefined

export const networkFlood =
  ({ max, says }: Rules['network_flood']): RuleFunction =>
  (_draft, { arrivals }) =>
    arrivals.network > max
      ? { says, score: 50, evidence: `${inTheLastMinute(arrivals.network)} came from its network` }
      : undefined

/** Finds comments beyond the limit, and every comment during a flood hold. */
export const siteFlood =
  ({ max, says }: Rules['site_flood']): RuleFunction =>
  (_draft, { at, arrivals, attackedUntil }) => {
    if (attackedUntil !== null && attackedUntil > at)
      return {
        says,
        score: 20,
        evidence: `the site is under attack, and held until ${attackedUntil}`,
      }
    return arrivals.site > max
      ? { says, score: 20, evidence: `${inTheLastMinute(arrivals.site)} came on the site` }
      : undefined
  }

const inTheLastMinute = (count: number): string =>
  `in the last minute ${sayCount(count, 'comment')}`
