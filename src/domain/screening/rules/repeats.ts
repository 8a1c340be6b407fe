import type { Policy } from '../policy.ts'
import { contentOf } from '../rendering.ts'
import { type RuleFunction, sayCount } from './rule.ts'

/** Shorter texts repeat by chance: people thank each other in the same few words. */
const MIN_CODE_UNITS = 16

export const repeats =
  ({ same, near, says }: Policy['rules']['repeats']): RuleFunction =>
  ({ rendering }, facts) => {
    if (contentOf(rendering).length < MIN_CODE_UNITS) return undefined
    const counted = facts.repeats
    if (counted.same < same && counted.near < near) return undefined
    const [count, how] =
      counted.same >= same ? [counted.same, 'the same'] : [counted.near, 'nearly the same']
    const others = sayCount(count, 'other comment')
    return {
      says,
      score: 60,
      evidence: `${others} of the last day ${count === 1 ? 'says' : 'say'} ${how}`,
    }
  }
