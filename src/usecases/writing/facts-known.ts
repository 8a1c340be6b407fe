import { FIRST_INSTANT } from '../../domain/instant.ts'
import type { Facts } from '../../domain/screening/facts.ts'

/** The settings alone, beside facts that speak against nobody. */
export const factsKnown = (
  settings: Pick<Facts, 'siteModeration' | 'threadModeration'>,
): Facts => ({
  ...settings,
  at: FIRST_INSTANT,
  author: {
    kind: 'guest',
    role: 'reader',
    approved: 100,
    recentApproved: 0,
    recentRejected: 0,
    emailDomain: null,
  },
  threadSince: null,
  repeats: { same: 0, near: 0 },
  arrivals: { thread: 0, site: 0, network: 0 },
  attackedUntil: null,
  bans: [],
  checks: {},
})
