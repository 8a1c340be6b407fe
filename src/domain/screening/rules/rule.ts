import type { Draft, Facts } from '../facts.ts'
import type { Finding } from '../finding.ts'

/** A finding without the rule's name and mode. */
export type RuleResult = Omit<Finding, 'rule' | 'counts'>

/** Returns undefined if it finds nothing. Pure. */
export type RuleFunction = (draft: Draft, facts: Facts) => RuleResult | undefined

/** `1 comment`, `2 comments`. */
export const sayCount = (count: number, noun: string): string =>
  `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`

/** A finding lists at most this many matches; more would tell a moderator nothing new. */
export const MAX_TEXT_MATCHES = 20
