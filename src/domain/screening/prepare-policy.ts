import type { Policy } from './policy.ts'
import type { PreparedPolicy } from './prepared-policy.ts'
import { prepareEmailDomains } from './rules/disposable-email.ts'
import { prepareDomains } from './rules/links.ts'
import { prepareWords } from './rules/words.ts'
import { bytesOf } from './words/packed.ts'

/** Memory besides the lists: parameters of rules, buffers and functions. */
const OVERHEAD_BYTES = 8_192

/** Compiles the lists of a policy, which takes seconds for the longest word lists. */
export const preparePolicy = ({ rules }: Policy): PreparedPolicy => {
  const { words, link_domains, disposable_email } = rules
  const prepared = {
    ...rules,
    words: prepareWords(words),
    link_domains: {
      ...link_domains,
      allow: prepareDomains(link_domains.allow),
      block: prepareDomains(link_domains.mode === 'off' ? [] : link_domains.block),
    },
    disposable_email: {
      ...disposable_email,
      domains: prepareEmailDomains(disposable_email.mode === 'off' ? [] : disposable_email.domains),
    },
  }
  return { rules: prepared, bytes: OVERHEAD_BYTES + bytesOf(prepared) }
}
