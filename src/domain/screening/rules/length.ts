import type { Policy } from '../policy.ts'
import { type Judge, sayCount } from './rule.ts'

/** Outer white space is not counted. */
export const length =
  ({ min, max, says }: Policy['rules']['length']): Judge =>
  ({ body }) => {
    const count = countCodePoints(body.trim())
    if (count >= min && count <= max) return undefined
    const bound = count < min ? `fewer than ${min}` : `more than ${max}`
    return { says, score: 20, evidence: `it has ${sayCount(count, 'character')}, ${bound}` }
  }

const countCodePoints = (text: string): number => {
  let count = 0
  for (let at = 0; at < text.length; count++) at += text.codePointAt(at)! > 0xffff ? 2 : 1
  return count
}
