import type { Draft } from '../facts.ts'
import type { TextMatch, Verdict } from '../finding.ts'
import type { Policy } from '../policy.ts'
import { compileSearch, type Search } from '../words/search.ts'
import { MAX_TEXT_MATCHES, type RuleFunction } from './rule.ts'

type Words = Policy['rules']['words']

/** Strictest first: of two entries in one place the earlier counts. */
const LISTS = ['rejected', 'spam', 'pending'] as const
const SCORES = { rejected: 80, spam: 60, pending: 30 } satisfies Partial<Record<Verdict, number>>
const MORE = 5
const MAX_SCORE = 95
/** In a sentence. */
const MAX_ENTRIES = 5

type Met = TextMatch & { readonly entry: number }

export const words = (rule: Words): RuleFunction => {
  const entries = LISTS.flatMap((list) => rule[list])
  if (entries.length === 0) return () => undefined
  const search = compileSearch(entries)
  const [spamFrom, pendingFrom] = [rule.rejected.length, rule.rejected.length + rule.spam.length]
  const listOf = (entry: number) =>
    entry < spamFrom ? 'rejected' : entry < pendingFrom ? 'spam' : 'pending'
  return (draft) => {
    const met = meet(search, draft)
    if (met.length === 0) return undefined
    const distinct = [...new Set(met.map(({ entry }) => entry))].sort((a, b) => a - b)
    const says = listOf(distinct[0]!)
    const own = distinct.filter((entry) => listOf(entry) === says).map((entry) => entries[entry]!)
    return {
      says,
      score: Math.min(MAX_SCORE, SCORES[says] + MORE * (distinct.length - 1)),
      evidence: `it says what is listed as ${says}: ${sayEntries(own)}`,
      found: chooseFound(met),
    }
  }
}

const meet = (search: Search, { body, authorName, authorUrl }: Draft): Met[] =>
  (
    [
      ['body', body],
      ['name', authorName],
      ['url', authorUrl ?? ''],
    ] as const
  ).flatMap(([field, text]) =>
    search(text).hits.map(({ entry, start, end }) => ({
      text: text.slice(start, end),
      field,
      start,
      end,
      entry,
    })),
  )

const sayEntries = (entries: readonly string[]): string => {
  const said = entries.slice(0, MAX_ENTRIES).join(', ')
  const more = entries.length - MAX_ENTRIES
  return more > 0 ? `${said}, and ${more} more` : said
}

/** The strictest when there are too many, in the order of the text. */
const chooseFound = (met: readonly Met[]): TextMatch[] => {
  const strictest = new Set(met.toSorted((a, b) => a.entry - b.entry).slice(0, MAX_TEXT_MATCHES))
  return met
    .filter((one) => strictest.has(one))
    .map(({ text, field, start, end }) => ({ text, field, start, end }))
}
