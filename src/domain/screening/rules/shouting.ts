import type { Link } from '../links.ts'
import type { Found } from '../opinion.ts'
import type { Policy } from '../policy.ts'
import { type Judge, MAX_FOUND } from './rule.ts'

/** So many `!` and `?` in a row, or of any other character but spaces and dots, are one as well. */
const MARKS = 5
const SAME = 8
const UPPER = /^\p{Lu}$/u
const LOWER = /^\p{Ll}$/u

type Shout = { readonly start: number; readonly end: number }
type Heard = { upper: number; letters: number; readonly capitals: Shout[]; readonly runs: Shout[] }

/** Capitals of scripts that have them, and rows of marks and of one character; not in links. */
export const shouting =
  ({ percent, letters, says }: Policy['rules']['shouting']): Judge =>
  ({ body }, _facts, seen) => {
    const heard = listen(body, seen.links())
    const share = Math.round((heard.upper * 100) / Math.max(1, heard.letters))
    const isLoud =
      heard.letters >= Math.max(1, letters) && heard.upper * 100 >= percent * heard.letters
    if (!isLoud && heard.runs.length === 0) return undefined
    const said = [
      ...(isLoud ? [`${share} of 100 letters are capitals`] : []),
      ...(heard.runs.length > 0 ? ['a character is repeated again and again'] : []),
    ]
    const found = [...(isLoud ? heard.capitals : []), ...heard.runs]
      .sort((a, b) => a.start - b.start)
      .slice(0, MAX_FOUND)
      .map((shout) => foundOf(body, shout))
    return { says, score: isLoud ? 30 : 15, evidence: said.join(', and '), found }
  }

const foundOf = (body: string, { start, end }: Shout): Found => ({
  text: body.slice(start, end),
  field: 'body',
  start,
  end,
})

const listen = (body: string, links: readonly Link[]): Heard => {
  const heard: Heard = { upper: 0, letters: 0, capitals: [], runs: [] }
  let from = 0
  for (const link of links) {
    listenTo(heard, body, from, link.start)
    from = link.end
  }
  listenTo(heard, body, from, body.length)
  return heard
}

const listenTo = (heard: Heard, body: string, from: number, until: number): void => {
  let [word, run, last] = [-1, from, '']
  const endRun = (at: number): void => {
    if (isRun(last, at - run)) heard.runs.push({ start: run, end: at })
  }
  const endWord = (at: number): void => {
    if (word >= 0 && at - word > 1) heard.capitals.push({ start: word, end: at })
    word = -1
  }
  for (let at = from; at < until; ) {
    const c = String.fromCodePoint(body.codePointAt(at)!)
    const kind = kindOf(c)
    if (kind === 'upper') heard.upper++
    if (kind !== 'other') heard.letters++
    if (kind === 'upper' && word < 0) word = at
    else if (kind !== 'upper') endWord(at)
    const isSame = c === last || (isMark(c) && isMark(last))
    if (!isSame) {
      endRun(at)
      run = at
      last = c
    }
    at += c.length
  }
  endWord(until)
  endRun(until)
}

const isMark = (c: string): boolean => c === '!' || c === '?'

const isRun = (c: string, length: number): boolean =>
  isMark(c) ? length >= MARKS : length >= SAME * c.length && !/^[\s.\-_=*#~]?$/u.test(c)

const kindOf = (c: string): 'upper' | 'lower' | 'other' => {
  if (c >= 'a' && c <= 'z') return 'lower'
  if (c >= 'A' && c <= 'Z') return 'upper'
  if (c < '\u0080') return 'other'
  return UPPER.test(c) ? 'upper' : LOWER.test(c) ? 'lower' : 'other'
}
