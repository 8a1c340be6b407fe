import type { Policy } from '../policy.ts'
import { type RuleFunction, sayCount } from './rule.ts'

/** Counts what readers see; outer white space does not count. */
export const length =
  ({ min, max, says }: Policy['rules']['length']): RuleFunction =>
  ({ rendering }) => {
    const text = rendering.text.trim()
    // A text has at least half as many code points as code units, and at most as many.
    if (text.length >= 2 * min && text.length <= max) return undefined
    const count = countCodePoints(text)
    if (count >= min && count <= max) return undefined
    const bound = count < min ? `fewer than ${min}` : `more than ${max}`
    return { says, score: 20, evidence: `it has ${sayCount(count, 'character')}, ${bound}` }
  }

const countCodePoints = (text: string): number => text.length - (text.match(PAIRS)?.length ?? 0)

const PAIRS = /[\u{10000}-\u{10ffff}]/gu
