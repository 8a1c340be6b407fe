import type { TextMatch } from '../finding.ts'
import type { Link } from '../links.ts'
import type { Policy } from '../policy.ts'
import { MAX_TEXT_MATCHES, type RuleFunction } from './rule.ts'

/** So many `!` and `?` in a row, or of any other character but spaces and dots, are one as well. */
const MARKS = 5
const SAME = 8
const UPPER = /^\p{Lu}$/u
const LOWER = /^\p{Ll}$/u

type Shout = { readonly start: number; readonly end: number }
type Heard = { upper: number; letters: number; readonly runs: Shout[] }

/** Capitals of scripts that have them, and rows of marks and of one character; not in links. */
export const shouting =
  ({ percent, letters, says }: Policy['rules']['shouting']): RuleFunction =>
  ({ body }, _facts, seen) => {
    const parts = partsBetween(body, seen.links())
    const heard = listen(body, parts)
    const share = Math.round((heard.upper * 100) / Math.max(1, heard.letters))
    const isLoud =
      heard.letters >= Math.max(1, letters) && heard.upper * 100 >= percent * heard.letters
    if (!isLoud && heard.runs.length === 0) return undefined
    const said = [
      ...(isLoud ? [`${share} of 100 letters are capitals`] : []),
      ...(heard.runs.length > 0 ? ['a character is repeated again and again'] : []),
    ]
    const found = [...(isLoud ? findCapitals(body, parts) : []), ...heard.runs]
      .sort((a, b) => a.start - b.start)
      .slice(0, MAX_TEXT_MATCHES)
      .map((shout) => foundOf(body, shout))
    return { says, score: isLoud ? 30 : 15, evidence: said.join(', and '), found }
  }

const foundOf = (body: string, { start, end }: Shout): TextMatch => ({
  text: body.slice(start, end),
  field: 'body',
  start,
  end,
})

const partsBetween = (body: string, links: readonly Link[]): Shout[] => {
  const ends = [0, ...links.map(({ end }) => end)]
  return ends.map((start, n) => ({ start, end: links[n]?.start ?? body.length }))
}

const CAPITALS = /\p{Lu}{2,}/gu

const findCapitals = (body: string, parts: readonly Shout[]): Shout[] =>
  parts.flatMap(({ start, end }) =>
    Array.from(body.slice(start, end).matchAll(CAPITALS), ({ index, 0: word }) => ({
      start: start + index,
      end: start + index + word.length,
    })),
  )

const listen = (body: string, parts: readonly Shout[]): Heard => {
  const heard: Heard = { upper: 0, letters: 0, runs: [] }
  for (const part of parts) listenTo(heard, body, part)
  return heard
}

const listenTo = (heard: Heard, body: string, { start, end }: Shout): void => {
  let [run, last, upper, letters] = [start, 0, 0, 0]
  for (let at = start; at <= end; at++) {
    const unit = at < end ? body.charCodeAt(at) : 0
    const kind = CASES[unit] || learnCase(unit)
    letters += (kind >> 1) & 1
    upper += kind >> 2
    if (unit === last || (isMark(unit) && isMark(last)) || isSecondHalf(unit)) continue
    if (at - run >= MARKS && isRun(body, run, at)) heard.runs.push({ start: run, end: at })
    run = at
    last = unit
  }
  heard.upper += upper
  heard.letters += letters
}

/** Of letters beyond the first plane hardly any have a case, and both halves of a pair have none. */
const CASES = new Uint8Array(0x10000)
/** Known, a letter with a case, a capital: one bit each. */
const [NO_LETTER, SMALL, CAPITAL] = [1, 3, 7]

const learnCase = (unit: number): number => {
  const c = String.fromCharCode(unit)
  const kind = UPPER.test(c) ? CAPITAL : LOWER.test(c) ? SMALL : NO_LETTER
  CASES[unit] = kind
  return kind
}

const isMark = (unit: number): boolean => unit === 0x21 || unit === 0x3f
const isSecondHalf = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

const isRun = (body: string, start: number, end: number): boolean => {
  const first = body.codePointAt(start)!
  if (isMark(first)) return true
  if (end - start < (first > 0xffff ? 2 * SAME : SAME)) return false
  return !QUIET.test(body.slice(start, start + 1))
}

/** Rows of these are lines and spaces. */
const QUIET = /[\s.\-_=*#~]/
