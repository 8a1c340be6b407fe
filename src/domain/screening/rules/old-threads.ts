import type { Policy } from '../policy.ts'
import { type RuleFunction, sayCount } from './rule.ts'

const DAY_MS = 86_400_000

export const oldThreads =
  ({ days, says }: Policy['rules']['old_threads']): RuleFunction =>
  (_draft, { at, threadSince }) => {
    if (threadSince === null) return undefined
    const age = Math.floor((Date.parse(at) - Date.parse(threadSince)) / DAY_MS)
    if (age < days) return undefined
    return { says, score: 10, evidence: `its thread began ${sayCount(age, 'day')} ago` }
  }
