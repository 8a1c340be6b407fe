import type { Draft } from '../facts.ts'
import type { TextMatch, Verdict } from '../finding.ts'
import type { Policy } from '../policy.ts'
import type { PreparedWords } from '../prepared-policy.ts'
import { createLocator, isMarkedUp, type Rendering } from '../rendering.ts'
import { type CompiledWords, compileWords, matchWords } from '../words/match-words.ts'
import { stringAt } from '../words/packed.ts'
import { MAX_TEXT_MATCHES, type RuleFunction } from './rule.ts'

type WordsRule = Policy['rules']['words']

/** Strictest first: of two matches in one place the earlier entry wins. */
const LISTS = ['rejected', 'spam', 'pending'] as const
const SCORES = { rejected: 80, spam: 60, pending: 30 } satisfies Partial<Record<Verdict, number>>
const SCORE_OF_EACH_MORE = 5
const MAX_SCORE = 95
/** The evidence names at most this many entries. */
const MAX_ENTRIES = 5

type EntryMatch = { readonly entry: number; readonly match: TextMatch }

export const prepareWords = (rule: WordsRule): PreparedWords => {
  const { mode, rejected, spam } = rule
  const entries = mode === 'off' ? [] : LISTS.flatMap((list) => rule[list])
  return {
    mode,
    words: entries.length > 0 ? compileWords(entries) : undefined,
    spamFrom: rejected.length,
    pendingFrom: rejected.length + spam.length,
  }
}

export const words = ({ words, spamFrom, pendingFrom }: PreparedWords): RuleFunction => {
  if (!words) return () => undefined
  const listOf = (entry: number) =>
    entry < spamFrom ? 'rejected' : entry < pendingFrom ? 'spam' : 'pending'
  return (draft) => {
    const matches = matchDraft(words, draft)
    if (matches.length === 0) return undefined
    const distinct = [...new Set(matches.map(({ entry }) => entry))].sort((a, b) => a - b)
    const says = listOf(distinct[0]!)
    const decisive = distinct.filter((entry) => listOf(entry) === says)
    return {
      says,
      score: Math.min(MAX_SCORE, SCORES[says] + SCORE_OF_EACH_MORE * (distinct.length - 1)),
      evidence: `it says what is listed as ${says}: ${sayEntries(words, decisive)}`,
      found: chooseMatches(matches),
    }
  }
}

const matchDraft = (
  words: CompiledWords,
  { rendering, authorName, authorUrl, suggestedTitle }: Draft,
): EntryMatch[] => [
  ...matchRendering(words, rendering),
  ...matchField(words, 'name', authorName),
  ...matchField(words, 'url', authorUrl ?? ''),
  ...matchField(words, 'title', suggestedTitle ?? ''),
]

/** Matches of the source, and of entries that only the rendered text has. */
const matchRendering = (words: CompiledWords, rendering: Rendering): EntryMatch[] => {
  const written = matchField(words, 'body', rendering.body)
  if (!isMarkedUp(rendering)) return written
  const entries = new Set(written.map(({ entry }) => entry))
  const locate = createLocator(rendering)
  const rendered = matchWords(words, rendering.text).matches.filter(
    ({ entry }) => !entries.has(entry),
  )
  return [...written, ...rendered.map((place) => ({ entry: place.entry, match: locate(place) }))]
}

const matchField = (words: CompiledWords, field: TextMatch['field'], text: string): EntryMatch[] =>
  matchWords(words, text).matches.map(({ entry, start, end }) => ({
    entry,
    match: { text: text.slice(start, end), field, start, end },
  }))

const sayEntries = ({ entries: texts }: CompiledWords, entries: readonly number[]): string => {
  const listed = entries
    .slice(0, MAX_ENTRIES)
    .map((entry) => stringAt(texts, entry))
    .join(', ')
  const more = entries.length - MAX_ENTRIES
  return more > 0 ? `${listed}, and ${more} more` : listed
}

/** The matches of the strictest entries if there are too many, in the order of the text. */
const chooseMatches = (matches: readonly EntryMatch[]): TextMatch[] => {
  const strictest = new Set(
    matches.toSorted((a, b) => a.entry - b.entry).slice(0, MAX_TEXT_MATCHES),
  )
  return matches.filter((match) => strictest.has(match)).map(({ match }) => match)
}
