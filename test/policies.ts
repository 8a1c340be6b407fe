import { DEFAULT_POLICY } from '../src/domain/screening/default-policy.ts'
import type { Policy } from '../src/domain/screening/policy.ts'
import type { TestService } from './service.ts'

type Rules = Policy['rules']
export type Changes = { readonly [N in keyof Rules]?: Partial<Rules[N]> }

/** The shipped policy, but for these parameters of these rules. */
export const policyWith = (changes: Changes): Policy => {
  const changed = Object.entries(changes).map(([name, change]) => [
    name,
    { ...DEFAULT_POLICY.rules[name as keyof Rules], ...change },
  ])
  return { rules: { ...DEFAULT_POLICY.rules, ...Object.fromEntries(changed) } }
}

/** Has a site go by it. @returns the version */
export const goBy = async (
  { call, adminKey: token }: TestService,
  changes: Changes,
  site = 'default',
): Promise<number> => {
  const body = { policy: policyWith(changes) }
  const answer = await call('PUT', `/v1/sites/${site}/moderation/policy`, { token, body })
  if (answer.status !== 200) throw new Error(`no policy: ${answer.text}`)
  return answer.body.version
}
