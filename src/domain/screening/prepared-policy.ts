import type { Policy } from './policy.ts'
import type { CompiledWords } from './words/match-words.ts'
import type { PackedStrings } from './words/packed.ts'

type Rules = Policy['rules']

/** The rule with its lists compiled, strictest first. */
export type PreparedWords = Pick<Rules['words'], 'mode'> & {
  /** Undefined if the lists are empty. */
  readonly words: CompiledWords | undefined
  /** The first entries of the two other lists. */
  readonly spamFrom: number
  readonly pendingFrom: number
}

/** The rules of a policy with compiled lists. They contain no function, so that threads can share them. */
export type PreparedRules = Omit<Rules, 'words' | 'link_domains' | 'disposable_email'> & {
  readonly words: PreparedWords
  readonly link_domains: Omit<Rules['link_domains'], 'allow' | 'block'> & {
    readonly allow: PackedStrings
    readonly block: PackedStrings
  }
  readonly disposable_email: Omit<Rules['disposable_email'], 'domains'> & {
    readonly domains: PackedStrings
  }
}

export type PreparedPolicy = {
  readonly rules: PreparedRules
  /** The memory that it takes. */
  readonly bytes: number
}
