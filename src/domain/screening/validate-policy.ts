import { Compile } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { CHECK_NAME } from '../site/check.ts'
import { MAX_WORDS, type Policy, PolicySchema } from './policy.ts'

/** By JSON pointer; each sentence has the field as its subject. */
export type PolicyErrors = Readonly<Record<string, string>>
export type ValidatedPolicy = { ok: true; value: Policy } | { ok: false; faults: PolicyErrors }

const MAX_WORD_LENGTH = 100
/** The search follows entries with `*` between letters one by one. */
const MAX_INNER_WILDCARDS = 1_000
const MAX_CHECKS = 10
/** More errors would only hide the others. */
const MAX_ERRORS = 20

type Fault = readonly [pointer: string, sentence: string]

const compileShape = () => Compile(PolicySchema)
let shape: ReturnType<typeof compileShape> | undefined

/** Validates a whole policy and returns at most 20 of its errors. */
export const validatePolicy = (document: unknown): ValidatedPolicy => {
  // Compiled on first use: compiling takes some 20 ms of every start.
  shape ??= compileShape()
  const isShaped = shape.Check(document)
  const all = [
    ...findContentFaults(document),
    ...(isShaped ? [] : findShapeFaults(shape.Errors(document))),
  ]
  if (all.length === 0) return { ok: true, value: document as Policy }
  // Of two sentences about one field the first says more.
  const faults = new Map(all.reverse())
  return { ok: false, faults: Object.fromEntries([...faults].reverse().slice(0, MAX_ERRORS)) }
}

const say = (count: number): string => count.toLocaleString('en')

const findShapeFaults = (errors: readonly TLocalizedValidationError[]): Fault[] =>
  errors.flatMap(({ keyword, instancePath: at, params }): Fault[] => {
    if (keyword === 'required')
      return params.requiredProperties.map((name) => [pointer(at, name), 'is required'])
    const schema = schemaAt(at)
    if (keyword === 'additionalProperties')
      return schema.additionalProperties
        ? []
        : params.additionalProperties.map((name) => [pointer(at, name), 'is not known'])
    const sentence = sentenceOf(schema)
    return sentence ? [[at, sentence]] : []
  })

const pointer = (at: string, name: string): string =>
  `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

type Schema = {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | false
  readonly items?: Schema
}

/** The part of the schema that describes the value at a JSON pointer. */
const schemaAt = (at: string): Schema =>
  at
    .split('/')
    .slice(1)
    .reduce(
      (schema: Schema, name): Schema =>
        schema.items ?? schema.properties?.[name] ?? (schema.additionalProperties || {}),
      PolicySchema as Schema,
    )

const sentenceOf = (schema: Schema): string | undefined => {
  const { type, minimum = 0, maximum = 0, maxItems = 0 } = schema
  if (schema.enum) return `must be one of ${schema.enum.join(', ')}`
  if (type === 'integer') return `must be a whole number from ${say(minimum)} to ${say(maximum)}`
  if (type === 'number') return `must be from ${minimum} to ${maximum}`
  if (type === 'array') return `must be a list of at most ${say(maxItems)}`
  return type === 'object' ? 'must be an object' : undefined
}

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fieldsOf = (value: unknown): Fields => (isObject(value) ? value : {})

/** Faults that the schema cannot express: spelling of words and domains, names and limits across fields. */
const findContentFaults = (document: unknown): Fault[] => {
  const rules = fieldsOf(fieldsOf(document).rules)
  const words = fieldsOf(rules.words)
  const domains = fieldsOf(rules.link_domains)
  return [
    ...findItemFaults('/rules/words/pending', words.pending, faultOfWord),
    ...findItemFaults('/rules/words/spam', words.spam, faultOfWord),
    ...findItemFaults('/rules/words/rejected', words.rejected, faultOfWord),
    ...findWordCountFaults(words),
    ...findItemFaults('/rules/link_domains/allow', domains.allow, faultOfDomain),
    ...findItemFaults('/rules/link_domains/block', domains.block, faultOfDomain),
    ...findItemFaults(
      '/rules/disposable_email/domains',
      fieldsOf(rules.disposable_email).domains,
      faultOfDomain,
    ),
    ...findCheckNameFaults(rules.checks),
  ]
}

const findItemFaults = (
  at: string,
  items: unknown,
  faultOf: (item: unknown) => string | undefined,
): Fault[] => {
  const faults: Fault[] = []
  for (const [n, item] of (Array.isArray(items) ? items : []).entries()) {
    const sentence = faultOf(item)
    if (sentence) faults.push([`${at}/${n}`, sentence])
    if (faults.length === MAX_ERRORS) break
  }
  return faults
}

/** Most entries need no search through the tables of Unicode. */
const PLAIN = /[a-z0-9]/i
const LETTER_OR_DIGIT = /[\p{L}\p{N}\p{Extended_Pictographic}]/u

const faultOfWord = (entry: unknown): string | undefined => {
  if (typeof entry !== 'string' || !entry.isWellFormed()) return 'must be well-formed text'
  if (entry.length > MAX_WORD_LENGTH) return `must be at most ${MAX_WORD_LENGTH} characters long`
  return PLAIN.test(entry) || LETTER_OR_DIGIT.test(entry)
    ? undefined
    : 'must contain a letter or a digit'
}

const DOMAIN = /^(?=.{1,253}$)[\p{L}\p{M}\p{N}_-]{1,63}(?:\.[\p{L}\p{M}\p{N}_-]{1,63})*$/u

const faultOfDomain = (domain: unknown): string | undefined =>
  typeof domain === 'string' && DOMAIN.test(domain)
    ? undefined
    : 'must be a domain, without scheme or path'

const INNER_WILDCARD = /[^*]\*+[^*]/

const hasInnerWildcard = (entry: unknown): boolean =>
  typeof entry === 'string' && entry.includes('*') && INNER_WILDCARD.test(entry)

/** Limits of the three lists together. */
const findWordCountFaults = ({ pending, spam, rejected }: Fields): Fault[] => {
  const all = [pending, spam, rejected].flatMap((list) => (Array.isArray(list) ? list : []))
  if (all.length > MAX_WORDS)
    return [['/rules/words', `must list at most ${say(MAX_WORDS)} in all`]]
  const inner = all.filter(hasInnerWildcard)
  if (inner.length <= MAX_INNER_WILDCARDS) return []
  const limit = `at most ${say(MAX_INNER_WILDCARDS)} entries`
  return [['/rules/words', `must have * between letters in ${limit}`]]
}

const IS_CHECK_NAME = new RegExp(CHECK_NAME)

const findCheckNameFaults = (checks: unknown): Fault[] => {
  if (checks === undefined) return []
  if (!isObject(checks) || Object.keys(checks).length > MAX_CHECKS)
    return [['/rules/checks', `must be an object of at most ${MAX_CHECKS} checks`]]
  return Object.keys(checks)
    .filter((name) => !IS_CHECK_NAME.test(name))
    .map((name) => [pointer('/rules/checks', name), 'must be the name of a check'])
}
