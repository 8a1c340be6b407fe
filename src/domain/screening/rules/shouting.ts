import type { Link } from '../links.ts'
import type { Policy } from '../policy.ts'
import { createLocator } from '../rendering.ts'
import { MAX_TEXT_MATCHES, type RuleFunction } from './rule.ts'

/** Lengths at which a row of `!` and `?`, or of one other character, counts as shouting. */
const MIN_MARKS = 5
const MIN_SAME = 8
const UPPER = /^\p{Lu}$/u
const LOWER = /^\p{Ll}$/u

type Span = { readonly start: number; readonly end: number }
type CaseCounts = { upper: number; letters: number; readonly runs: Span[] }

/** Finds texts of capitals, and rows of one character. Addresses do not count. */
export const shouting =
  ({ percent, letters, says }: Policy['rules']['shouting']): RuleFunction =>
  ({ rendering }) => {
    const { text, addresses } = rendering
    const parts = partsBetween(text, addresses)
    const counts = countCases(text, parts)
    const share = Math.round((counts.upper * 100) / Math.max(1, counts.letters))
    const isLoud =
      counts.letters >= Math.max(1, letters) && counts.upper * 100 >= percent * counts.letters
    if (!isLoud && counts.runs.length === 0) return undefined
    const evidence = [
      ...(isLoud ? [`${share} of 100 letters are capitals`] : []),
      ...(counts.runs.length > 0 ? ['a character is repeated again and again'] : []),
    ]
    const found = [...(isLoud ? findCapitals(text, parts) : []), ...counts.runs]
      .sort((a, b) => a.start - b.start)
      .slice(0, MAX_TEXT_MATCHES)
      .map(createLocator(rendering))
    return { says, score: isLoud ? 30 : 15, evidence: evidence.join(', and '), found }
  }

const partsBetween = (text: string, addresses: readonly Link[]): Span[] => {
  const ends = [0, ...addresses.map(({ end }) => end)]
  return ends.map((start, n) => ({ start, end: addresses[n]?.start ?? text.length }))
}

const CAPITALS = /\p{Lu}{2,}/gu

const findCapitals = (text: string, parts: readonly Span[]): Span[] =>
  parts.flatMap(({ start, end }) =>
    Array.from(text.slice(start, end).matchAll(CAPITALS), ({ index, 0: word }) => ({
      start: start + index,
      end: start + index + word.length,
    })),
  )

const countCases = (text: string, parts: readonly Span[]): CaseCounts => {
  const counts: CaseCounts = { upper: 0, letters: 0, runs: [] }
  for (const part of parts) addPart(counts, text, part)
  return counts
}

const addPart = (counts: CaseCounts, text: string, { start, end }: Span): void => {
  let [run, last, upper, letters] = [start, 0, 0, 0]
  for (let at = start; at <= end; at++) {
    const unit = at < end ? text.charCodeAt(at) : 0
    const kind = CASES[unit] || learnCase(unit)
    letters += (kind >> 1) & 1
    upper += kind >> 2
    if (unit === last || (isMark(unit) && isMark(last)) || isSecondHalf(unit)) continue
    if (at - run >= MIN_MARKS && isRun(text, run, at)) counts.runs.push({ start: run, end: at })
    run = at
    last = unit
  }
  counts.upper += upper
  counts.letters += letters
}

/** Cases by code unit, filled on demand. Letters beyond the first plane hardly ever have a case. */
const CASES = new Uint8Array(0x10000)
/** One bit each: known, a letter with a case, a capital. */
const [NO_LETTER, SMALL, CAPITAL] = [1, 3, 7]

const learnCase = (unit: number): number => {
  const c = String.fromCharCode(unit)
  const kind = UPPER.test(c) ? CAPITAL : LOWER.test(c) ? SMALL : NO_LETTER
  CASES[unit] = kind
  return kind
}

const isMark = (unit: number): boolean => unit === 0x21 || unit === 0x3f
const isSecondHalf = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

const isRun = (text: string, start: number, end: number): boolean => {
  const first = text.codePointAt(start)!
  if (isMark(first)) return true
  if (end - start < (first > 0xffff ? 2 * MIN_SAME : MIN_SAME)) return false
  return !QUIET.test(text.slice(start, start + 1))
}

/** Rows of these characters are lines and spaces. */
const QUIET = /[\s.\-_=*#~]/
