import type { Check } from '../site/check.ts'
import type { Facts } from './facts.ts'
import type { Finding } from './finding.ts'
import type { PreparedPolicy } from './prepared-policy.ts'

/** In a trace the rule of a check is this prefix and the name of the check. */
export const CHECK_RULE_PREFIX = 'checks.'

/** The facts before any check responds. A check that the policy turns off is not asked. */
export const initialCheckFacts = (
  checks: readonly Check[],
  { rules }: PreparedPolicy,
): Facts['checks'] => {
  const isOff = (name: string) =>
    Object.hasOwn(rules.checks, name) && rules.checks[name]?.mode === 'off'
  const asked = checks.filter(({ name }) => !isOff(name))
  return Object.fromEntries(asked.map(({ name }) => [name, { state: 'asked' as const }]))
}

/** Whether checks are asked before the response to the author, after it, or never. */
export type CheckTiming = 'first' | 'later' | 'never'

/**
 * An author waits for enforced checks even if another rule holds the comment anyway: otherwise the
 * response time would tell the author about that rule.
 */
export const checkTimingOf = (trace: readonly Finding[], { checks }: Facts): CheckTiming => {
  const isAwaited = trace.some(
    ({ rule, counts = true }) =>
      counts &&
      rule.startsWith(CHECK_RULE_PREFIX) &&
      checks[rule.slice(CHECK_RULE_PREFIX.length)]?.state === 'asked',
  )
  if (isAwaited) return 'first'
  return Object.keys(checks).length > 0 ? 'later' : 'never'
}
