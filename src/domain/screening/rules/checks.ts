import type { CheckFact } from '../../site/check.ts'
import type { Policy } from '../policy.ts'
import type { RuleFunction, RuleResult } from './rule.ts'

type CheckRule = Policy['rules']['checks'][string]

/**
 * Judges the result of an external check. While the check can still respond, the comment waits even with
 * `on_failure: ignore`: it would otherwise be public for those seconds.
 */
export const check =
  (name: string, rule: CheckRule): RuleFunction =>
  (_draft, { checks }) => {
    // A policy may name a check like a property of every object, for example `constructor`.
    const fact = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (fact?.state === 'answered') return judgeScore(name, rule, fact.score)
    if (fact?.state === 'removed') return undefined
    if (fact?.state === 'asked')
      return { says: 'pending', score: 0, evidence: `${name} has not answered yet` }
    return rule.on_failure === 'hold' ? holdFailed(name, fact) : undefined
  }

const judgeScore = (
  name: string,
  { at, says }: CheckRule,
  score: number,
): RuleResult | undefined => {
  if (score < at) return undefined
  const percent = Math.round(Math.min(1, score) * 100)
  return { says, score: percent, evidence: `${name} is ${percent} % sure that it is spam` }
}

const holdFailed = (name: string, fact: CheckFact | undefined): RuleResult => {
  const why = fact?.state === 'failed' ? `did not answer: ${fact.why}` : 'was not asked'
  return { says: 'pending', score: 0, evidence: `${name} ${why}` }
}
