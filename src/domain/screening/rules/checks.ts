import type { CheckFact } from '../../site/check.ts'
import type { Policy } from '../policy.ts'
import type { RuleFunction, RuleResult } from './rule.ts'

type Check = Policy['rules']['checks'][string]

/**
 * What a service outside says. A comment waits while its answer can still come, whatever is to be done
 * when none does: it would else be public for the seconds that a service takes.
 */
export const check =
  (name: string, rule: Check): RuleFunction =>
  (_draft, { checks }) => {
    // A name from a policy may be that of a property which every object has.
    const fact = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (fact?.state === 'answered') return judgeScore(name, rule, fact.score)
    if (fact?.state === 'asked')
      return { says: 'pending', score: 0, evidence: `${name} has not answered yet` }
    return rule.on_failure === 'hold' ? holdFailed(name, fact) : undefined
  }

const judgeScore = (name: string, { at, says }: Check, score: number): RuleResult | undefined => {
  if (score < at) return undefined
  const percent = Math.round(Math.min(1, score) * 100)
  return { says, score: percent, evidence: `${name} is ${percent} % sure that it is spam` }
}

const holdFailed = (name: string, fact: CheckFact | undefined): RuleResult => {
  const why = fact?.state === 'failed' ? `did not answer: ${fact.why}` : 'was not asked'
  return { says: 'pending', score: 0, evidence: `${name} ${why}` }
}
