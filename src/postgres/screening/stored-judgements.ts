import { sql } from 'kysely'
import { type Instant, instantOf } from '../../domain/instant.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import { type Finding, type TextMatch, VERDICTS } from '../../domain/screening/finding.ts'

/**
 * The forms in which `comments` stores facts and traces. The packed form is a JSON array of a tenth of the size, in
 * `packed_facts` and `packed_trace`. The long form is the object itself, in `facts` and `screening`: releases before
 * the packed form have it for every comment, and comments with bans or checks still do, because SQL reads those. A
 * comment has both values in the same form. Rows that exist have these forms, so that lists of this file only grow at
 * their ends.
 */
export type JudgementColumns = {
  readonly facts: string | null
  readonly screening: string | null
  readonly packedFacts: string | null
  readonly packedTrace: string | null
}

type Judged = { readonly facts: Facts; readonly trace: readonly Finding[] }

export const toJudgementColumns = ({ facts, trace }: Judged): JudgementColumns => {
  const packedFacts = packFacts(facts)
  return packedFacts === null
    ? {
        facts: JSON.stringify(facts),
        screening: JSON.stringify(trace),
        packedFacts: null,
        packedTrace: null,
      }
    : { facts: null, screening: null, packedFacts, packedTrace: packTrace(trace) }
}

/**
 * Values of `comments c` for `readFacts` and `readTrace`; null if there are none. The long form is the later one if a
 * row has both: a release before the packed form judged the comment again.
 */
export const storedFacts = sql`coalesce(c.facts::text, c.packed_facts)`
export const storedTrace = sql`coalesce(c.screening::text, c.packed_trace)`

export const hasFacts = sql`num_nonnulls(c.facts, c.packed_facts) > 0`

/** The bans among the facts. The packed form has none. */
export const storedBans = sql`coalesce(c.facts -> 'bans', '[]')`

/** The checks among the facts; null without facts. The packed form has none. */
export const storedChecks = sql`
  case when c.facts is null and c.packed_facts is not null then '{}' else c.facts -> 'checks' end`

/** When the facts were counted. */
export const judgedAt = sql`case when c.facts is not null then (c.facts ->> 'at')::timestamptz
  else timestamptz 'epoch' + substring(c.packed_facts from '^.([0-9]+)')::bigint * interval '1 millisecond' end`

/** Whether the trace has a finding of the rule. In JSON, no text has a quotation mark after a bracket. */
export const hasFindingOf = (rule: string) => sql`case
  when c.screening is not null then c.screening @> jsonb_build_array(jsonb_build_object('rule', ${rule}::text))
  else strpos(c.packed_trace, '["' || ${rule}::text || '"') > 0 end`

export const readFacts = (stored: string): Facts => {
  const value = JSON.parse(stored)
  return Array.isArray(value) ? unpackFacts(value) : value
}

export const readTrace = (stored: string): Finding[] => JSON.parse(stored).map(unpackFinding)

/** Converts the stored forms of a row in place. */
export const readJudgement = <T extends { facts: unknown; trace: unknown }>(
  row: T,
): Omit<T, 'facts' | 'trace'> & Judged =>
  Object.assign(row, {
    facts: readFacts(row.facts as string),
    trace: readTrace(row.trace as string),
  })

/** Facts as most comments have them. Values at the end of the packed form that are like these are left out. */
const USUAL: Facts = {
  at: '1970-01-01T00:00:00.000Z',
  siteModeration: 'post',
  threadModeration: null,
  author: {
    kind: 'guest',
    role: 'reader',
    approved: 0,
    recentApproved: 0,
    recentRejected: 0,
    emailDomain: null,
  },
  threadSince: null,
  repeats: { same: 0, near: 0 },
  arrivals: { thread: 1, site: 1, network: 1 },
  attackedUntil: null,
  bans: [],
  checks: {},
}

/** The values of the packed form. Times are milliseconds since 1970, and the age of the thread. */
const toValues = ({ arrivals, at, threadSince, author, repeats, ...modes }: Facts) =>
  [
    Date.parse(at),
    threadSince === null ? null : Date.parse(at) - Date.parse(threadSince),
    arrivals.thread,
    arrivals.site,
    arrivals.network,
    author.approved,
    author.recentApproved,
    author.recentRejected,
    author.emailDomain,
    author.kind,
    author.role,
    repeats.same,
    repeats.near,
    modes.siteModeration,
    modes.threadModeration,
    modes.attackedUntil,
  ] as const

type Values = ReturnType<typeof toValues>

const USUAL_VALUES = toValues(USUAL)

/** Null if the packed form cannot store the facts. */
const packFacts = (facts: Facts): string | null => {
  if (!isPackable(facts)) return null
  const values: unknown[] = [...toValues(facts)]
  while (values.at(-1) === USUAL_VALUES[values.length - 1]) values.pop()
  return JSON.stringify(values)
}

/** Whether the facts have the fields of `USUAL` and no other, neither bans nor checks, and exact times. */
const isPackable = (facts: Facts): boolean =>
  countFields(facts) === countFields(USUAL) &&
  PARTS.every((part) => countFields(facts[part]) === countFields(USUAL[part])) &&
  isExact(facts.at) &&
  (facts.threadSince === null || isExact(facts.threadSince))

const PARTS = ['author', 'repeats', 'arrivals', 'bans', 'checks'] as const

const countFields = (value: object): number => Object.keys(value).length

const isExact = (time: Instant): boolean => {
  const ms = Date.parse(time)
  return !Number.isNaN(ms) && instantOf(ms) === time
}

/** Reads the values that `packFacts` wrote. JSON has no types: the order of the values says what each is. */
const unpackFacts = (values: readonly unknown[]): Facts => {
  const [at, age, thread, site, network, ...rest] = [
    ...values,
    ...USUAL_VALUES.slice(values.length),
  ] as unknown as Values
  const [approved, recentApproved, recentRejected, emailDomain, kind, role, ...others] = rest
  const [same, near, siteModeration, threadModeration, attackedUntil] = others
  return {
    at: instantOf(at),
    siteModeration,
    threadModeration,
    author: { kind, role, approved, recentApproved, recentRejected, emailDomain },
    threadSince: age === null ? null : instantOf(at - age),
    repeats: { same, near },
    arrivals: { thread, site, network },
    attackedUntil,
    bans: [],
    checks: {},
  }
}

/** Sentences of rules. `#` is a number. The packed form has their places in this list. */
const SENTENCES = [
  'its author has # approved comments, and needs #',
  'its author has # approved comment, and needs #',
  'in the last minute # comments came in the thread',
  'in the last minute # comments came from its network',
  'in the last minute # comments came on the site',
  '# other comment of the last day says the same',
  '# other comments of the last day say the same',
  '# other comment of the last day says nearly the same',
  '# other comments of the last day say nearly the same',
  'it has # links, more than #',
  'it has # link, and its author # approved comments',
  'it has # links, and its author # approved comments',
  'it has # link, and its author # approved comment',
  'it has # links, and its author # approved comment',
  'it has # character, fewer than #',
  'it has # characters, fewer than #',
  'it has # characters, more than #',
  '# of # letters are capitals',
  'a character is repeated again and again',
  "# of the author's last # comments in # days were turned down",
  'its thread began # days ago',
  'the site is moderated before publication',
  'the thread is moderated before publication',
  'its author is contributor, which is trusted',
  'its author is moderator, which is trusted',
  'its author is owner, which is trusted',
]
const PLACES = new Map(SENTENCES.map((sentence, place) => [sentence, place]))
const FIELDS: readonly TextMatch['field'][] = ['body', 'name', 'url', 'title', 'email']
const COUNTS = [undefined, false, true]

const packTrace = (trace: readonly Finding[]): string => JSON.stringify(trace.map(packFinding))

/** Returns the finding itself if the packed form cannot store it. */
const packFinding = (finding: Finding): unknown => {
  if (!isPackableFinding(finding)) return finding
  const { rule, says, counts, score, evidence, found } = finding
  const mark = VERDICTS.indexOf(says) * COUNTS.length + COUNTS.indexOf(counts)
  const packed = [rule, mark, score ?? null, ...packSentence(evidence)]
  if (found) packed.push(found.map(packMatch))
  return packed
}

const isPackableFinding = (finding: Finding): boolean => {
  const { counts, score, found } = finding
  const given = [counts, score, found].filter((value) => value !== undefined).length
  return countFields(finding) === 3 + given && (found?.every(isPackableMatch) ?? true)
}

const isPackableMatch = (match: TextMatch): boolean =>
  countFields(match) === (match.reading === undefined ? 4 : 5)

const unpackFinding = (stored: any): Finding => {
  if (!Array.isArray(stored)) return stored
  const [rule, mark, score, sentence, ...values] = stored
  const found = Array.isArray(values.at(-1)) ? values.pop() : undefined
  const counts = COUNTS[mark % COUNTS.length]
  return {
    rule,
    says: VERDICTS[Math.floor(mark / COUNTS.length)]!,
    ...(counts !== undefined && { counts }),
    ...(score !== null && { score }),
    evidence: typeof sentence === 'string' ? sentence : unpackSentence(sentence, values),
    ...(found && { found: found.map(unpackMatch) }),
  }
}

/** The place of the sentence and its numbers, or the sentence. A number that is written otherwise stays a text. */
const packSentence = (evidence: string): unknown[] => {
  const numbers: unknown[] = []
  const sentence = evidence.replace(/\d[\d,]*/g, (text) => {
    numbers.push(String(Number(text)) === text ? Number(text) : text)
    return '#'
  })
  const place = evidence.includes('#') ? undefined : PLACES.get(sentence)
  return place === undefined ? [evidence] : [place, ...numbers]
}

const unpackSentence = (place: number, numbers: readonly unknown[]): string => {
  let n = 0
  return SENTENCES[place]!.replace(/#/g, () => String(numbers[n++]))
}

const packMatch = ({ text, field, start, end, reading }: TextMatch): unknown[] => [
  text,
  FIELDS.indexOf(field),
  start,
  end,
  ...(reading ? [reading] : []),
]

const unpackMatch = ([text, field, start, end, reading]: any[]): TextMatch => ({
  text,
  field: FIELDS[field]!,
  start,
  end,
  ...(reading && { reading }),
})
