import type { PreparedRules } from '../prepared-policy.ts'
import { hasString, type PackedStrings, packSet } from '../words/packed.ts'
import type { RuleFunction } from './rule.ts'

export const prepareEmailDomains = (domains: readonly string[]): PackedStrings =>
  packSet(domains.map((domain) => domain.toLowerCase()))

/** Finds the domain of the address or a domain above it. */
export const disposableEmail =
  ({ domains, says }: PreparedRules['disposable_email']): RuleFunction =>
  (_draft, { author: { emailDomain } }) => {
    const found = emailDomain === null ? undefined : findDomain(domains, emailDomain)
    if (found === undefined) return undefined
    return { says, score: 60, evidence: `e-mail at ${found} is thrown away after use` }
  }

const findDomain = (known: PackedStrings, domain: string): string | undefined => {
  let rest = domain
  while (!hasString(known, rest)) {
    const dot = rest.indexOf('.')
    if (dot < 0) return undefined
    rest = rest.slice(dot + 1)
  }
  return rest
}
