import type { Draft, Facts } from '../facts.ts'
import type { Finding } from '../finding.ts'
import type { Link } from '../links.ts'

/** An opinion before it is known whether it counts. */
export type RuleResult = Omit<Finding, 'rule' | 'counts'>

/** Says nothing when it has nothing against the comment. Pure: the same again for the same input. */
export type RuleFunction = (draft: Draft, facts: Facts, seen: DraftLinks) => RuleResult | undefined

/** What several rules look for: found once, when the first asks. */
export type DraftLinks = { readonly links: () => readonly Link[] }

/** `1 comment`, `2 comments`. */
export const sayCount = (count: number, noun: string): string =>
  `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`

/** Places that an opinion names: what is above it tells a moderator nothing new. */
export const MAX_TEXT_MATCHES = 20
