import type { Policy } from '../policy.ts'
import type { RuleFunction } from './rule.ts'

/** Finds the domain of the address or a domain above it. */
export const disposableEmail = ({
  domains,
  says,
}: Policy['rules']['disposable_email']): RuleFunction => {
  const known = new Set(domains.map((domain) => domain.toLowerCase()))
  return (_draft, { author: { emailDomain } }) => {
    const found = emailDomain === null ? undefined : findDomain(known, emailDomain)
    if (found === undefined) return undefined
    return { says, score: 60, evidence: `e-mail at ${found} is thrown away after use` }
  }
}

const findDomain = (known: ReadonlySet<string>, domain: string): string | undefined => {
  let rest = domain
  while (!known.has(rest)) {
    const dot = rest.indexOf('.')
    if (dot < 0) return undefined
    rest = rest.slice(dot + 1)
  }
  return rest
}
