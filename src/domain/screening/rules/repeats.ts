import type { Policy } from '../policy.ts'
import { type RuleFunction, sayCount } from './rule.ts'

/** People thank each other in the same few words. */
const SHORT = 16

/** Of texts that are not short, in UTF-16 code units. */
export const repeats =
  ({ same, near, says }: Policy['rules']['repeats']): RuleFunction =>
  ({ body }, facts) => {
    if (body.trim().length < SHORT) return undefined
    const found = facts.repeats
    if (found.same < same && found.near < near) return undefined
    const [count, how] =
      found.same >= same ? [found.same, 'the same'] : [found.near, 'nearly the same']
    const others = sayCount(count, 'other comment')
    return {
      says,
      score: 60,
      evidence: `${others} of the last day ${count === 1 ? 'says' : 'say'} ${how}`,
    }
  }
