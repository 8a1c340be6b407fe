import { ROLES } from '../comment/comment.ts'
import { VERDICTS } from './finding.ts'
import { MODES, type Policy } from './policy.ts'

/** By JSON pointer; each completes a sentence whose subject is the field. */
export type PolicyErrors = Readonly<Record<string, string>>
export type ValidatedPolicy = { ok: true; value: Policy } | { ok: false; faults: PolicyErrors }

/** Of all three lists together: some 25 MB of memory, and a second or two to make them ready. */
export const MAX_WORDS = 100_000
export const MAX_WORD_LENGTH = 100
/** Entries with `*` between letters are followed one by one. */
export const MAX_INNER_WILDCARDS = 1_000
export const MAX_DOMAINS = 20_000
const MAX_CHECKS = 10
/** More would only hide the others. */
const MAX_FAULTS = 20

type Check = (value: unknown, at: string, faults: Record<string, string>) => void
type Fields = Readonly<Record<string, Check>>

/** Tells whether this is a whole policy, within its bounds. Everything is looked at; at most 20 faults are told. */
export const validatePolicy = (document: unknown): ValidatedPolicy => {
  const faults: Record<string, string> = {}
  POLICY(document, '', faults)
  const told = Object.entries(faults).slice(0, MAX_FAULTS)
  return told.length === 0
    ? { ok: true, value: document as Policy }
    : { ok: false, faults: Object.fromEntries(told) }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const pointer = (at: string, name: string): string =>
  `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

/** These fields and no other. */
const object =
  (fields: Fields): Check =>
  (value, at, faults) => {
    if (!isObject(value)) {
      faults[at] = 'must be an object'
      return
    }
    for (const name of Object.keys(value))
      if (!Object.hasOwn(fields, name)) faults[pointer(at, name)] = 'is not known'
    for (const [name, check] of Object.entries(fields)) {
      if (Object.hasOwn(value, name)) check(value[name], pointer(at, name), faults)
      else faults[pointer(at, name)] = 'is required'
    }
  }

const integer =
  (min: number, max: number): Check =>
  (value, at, faults) => {
    if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return
    faults[at] = `must be a whole number from ${say(min)} to ${say(max)}`
  }

const say = (count: number): string => count.toLocaleString('en')

const share: Check = (value, at, faults) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) faults[at] = 'must be from 0 to 1'
}

const oneOf =
  (choices: readonly string[]): Check =>
  (value, at, faults) => {
    if (!choices.includes(value as string)) faults[at] = `must be one of ${choices.join(', ')}`
  }

const list =
  (max: number, check: (item: unknown) => string | undefined): Check =>
  (value, at, faults) => {
    if (!Array.isArray(value) || value.length > max) {
      faults[at] = `must be a list of at most ${say(max)}`
      return
    }
    for (const [n, item] of value.entries()) {
      const problem = check(item)
      if (problem) faults[`${at}/${n}`] = problem
    }
  }

const LETTER_OR_DIGIT = /[\p{L}\p{N}\p{Extended_Pictographic}]/u

const validateWord = (entry: unknown): string | undefined => {
  if (typeof entry !== 'string' || !entry.isWellFormed()) return 'must be well-formed text'
  if (entry.length > MAX_WORD_LENGTH) return `must be at most ${MAX_WORD_LENGTH} characters long`
  return LETTER_OR_DIGIT.test(entry) ? undefined : 'must contain a letter or a digit'
}

const DOMAIN = /^(?=.{1,253}$)[\p{L}\p{M}\p{N}_-]{1,63}(?:\.[\p{L}\p{M}\p{N}_-]{1,63})*$/u

const validateDomain = (domain: unknown): string | undefined =>
  typeof domain === 'string' && DOMAIN.test(domain)
    ? undefined
    : 'must be a domain, without scheme or path'

const validateRole = (role: unknown): string | undefined =>
  ROLES.some((known) => known === role) ? undefined : `must be one of ${ROLES.join(', ')}`

const INNER_WILDCARD = /[^*]\*+[^*]/

/** The lists one by one, then all of them together. */
const words: Check = (value, at, faults) => {
  object({ mode, pending: WORDS, spam: WORDS, rejected: WORDS })(value, at, faults)
  if (!isObject(value)) return
  const all = [value.pending, value.spam, value.rejected].flatMap((entries) =>
    Array.isArray(entries) ? entries : [],
  )
  const inner = all.filter((entry) => typeof entry === 'string' && INNER_WILDCARD.test(entry))
  if (all.length > MAX_WORDS) faults[at] = `must list at most ${say(MAX_WORDS)} in all`
  else if (inner.length > MAX_INNER_WILDCARDS)
    faults[at] = `must have * between letters in at most ${say(MAX_INNER_WILDCARDS)} entries`
}

const CHECK_NAME = /^[a-z][a-z0-9_-]{0,39}$/

const checks: Check = (value, at, faults) => {
  if (!isObject(value) || Object.keys(value).length > MAX_CHECKS) {
    faults[at] = `must be an object of at most ${MAX_CHECKS} checks`
    return
  }
  for (const [name, check] of Object.entries(value)) {
    if (!CHECK_NAME.test(name)) faults[pointer(at, name)] = 'must be the name of a check'
    else CHECK(check, pointer(at, name), faults)
  }
}

const mode = oneOf(MODES)
const says = oneOf(VERDICTS.filter((verdict) => verdict !== 'approved'))
const strict = (fields: Fields): Check => object({ mode, says, ...fields })
const WORDS = list(MAX_WORDS, validateWord)
const DOMAINS = list(MAX_DOMAINS, validateDomain)
const CHECK = strict({ at: share, on_failure: oneOf(['ignore', 'hold']) })

const POLICY = object({
  rules: object({
    role: object({ mode, roles: list(ROLES.length, validateRole) }),
    first_comments: strict({ approved: integer(1, 100) }),
    rejections: strict({ decided: integer(1, 100), percent: integer(1, 100) }),
    words,
    links: strict({ max: integer(0, 1_000) }),
    links_of_new: strict({ approved: integer(1, 100) }),
    link_domains: strict({ allow: DOMAINS, block: DOMAINS }),
    repeats: strict({ same: integer(1, 100), near: integer(1, 100) }),
    thread_flood: strict({ max: integer(1, 999) }),
    network_flood: strict({ max: integer(1, 999) }),
    site_flood: strict({ max: integer(1, 999), minutes: integer(1, 1_440) }),
    length: strict({ min: integer(0, 10_000), max: integer(1, 10_000) }),
    shouting: strict({ percent: integer(1, 100), letters: integer(1, 10_000) }),
    disposable_email: strict({ domains: DOMAINS }),
    old_threads: strict({ days: integer(1, 36_500) }),
    checks,
  } satisfies Readonly<Record<keyof Policy['rules'], Check>>),
})
