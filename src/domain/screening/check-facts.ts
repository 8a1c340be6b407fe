import type { Check, CheckFact } from '../site/check.ts'
import type { Facts } from './facts.ts'
import type { Finding } from './finding.ts'
import type { PreparedPolicy } from './prepared-policy.ts'

/** In a trace the rule of a check is this prefix and the name of the check. */
export const CHECK_RULE_PREFIX = 'checks.'

type CheckFacts = Facts['checks']

/** The facts before any check responds. A check that the policy turns off is not asked. */
export const initialCheckFacts = (checks: readonly Check[], policy: PreparedPolicy): CheckFacts =>
  currentCheckFacts({}, { checks, policy, asksAgain: true })

/**
 * The facts for the checks that the site has now. Scores stay. `asksAgain`: checks without a score are asked;
 * otherwise a check that was never asked, or was removed meanwhile, counts as never asked.
 */
export const currentCheckFacts = (
  known: CheckFacts,
  {
    checks,
    policy: { rules },
    asksAgain,
  }: { checks: readonly Pick<Check, 'name'>[]; policy: PreparedPolicy; asksAgain: boolean },
): CheckFacts => {
  const isOff = (name: string) =>
    Object.hasOwn(rules.checks, name) && rules.checks[name]?.mode === 'off'
  const names = checks.map(({ name }) => name)
  const inUse = names.filter((name) => !isOff(name))
  const removed = [
    ...Object.keys(rules.checks).filter((name) => !names.includes(name)),
    ...Object.keys(known).filter((name) => !inUse.includes(name)),
  ]
  const present = inUse.flatMap((name): [string, CheckFact][] => {
    const fact = Object.hasOwn(known, name) ? known[name] : undefined
    if (fact?.state === 'answered') return [[name, fact]]
    if (asksAgain) return [[name, { state: 'asked' }]]
    return fact && fact.state !== 'removed' ? [[name, fact]] : []
  })
  return Object.fromEntries([
    ...removed.map((name) => [name, { state: 'removed' }] as const),
    ...present,
  ])
}

/** A check whose missing score holds a comment. */
export type AwaitedCheck = {
  readonly name: string
  /** Null while the check can still answer. */
  readonly error: string | null
}

/** The checks without a score that hold a comment by this trace. */
export const awaitedChecks = (
  trace: readonly Finding[],
  checks: CheckFacts,
): readonly AwaitedCheck[] =>
  trace.flatMap(({ rule, counts = true }): AwaitedCheck[] => {
    const name = rule.slice(CHECK_RULE_PREFIX.length)
    if (!counts || !rule.startsWith(CHECK_RULE_PREFIX)) return []
    const fact = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (fact?.state === 'answered') return []
    if (fact?.state === 'asked') return [{ name, error: null }]
    return [{ name, error: fact?.state === 'failed' ? fact.why : 'it was not asked' }]
  })

/** Whether checks are asked before the response to the author, after it, or never. */
export type CheckTiming = 'first' | 'later' | 'never'

/**
 * An author waits for enforced checks even if another rule holds the comment anyway: otherwise the
 * response time would tell the author about that rule.
 */
export const checkTimingOf = (trace: readonly Finding[], { checks }: Facts): CheckTiming => {
  if (awaitedChecks(trace, checks).some(({ error }) => error === null)) return 'first'
  return Object.values(checks).some(({ state }) => state === 'asked') ? 'later' : 'never'
}
