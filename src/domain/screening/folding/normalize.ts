import {
  EITHER,
  FOREIGN,
  findWords,
  LEET,
  LEET_CYRILLIC,
  LONG,
  MIXED,
  SPACED,
  type Words,
} from './disguises.ts'
import { fold, type Letters } from './fold.ts'
import { ALIKE, DIGIT, GAP, LETTER, lookOf, SIGN, UNSPACED, unitOf } from './letters.ts'
import { CYRILLIC_OF } from './look-alikes.ts'
import {
  cut,
  type NormalizedText,
  openNormalizedText,
  SPACE,
  separate,
  write,
} from './normalized-text.ts'

/** How disguised words are read, and which of them. */
type Way = {
  readonly hows: number
  /** What `1`, `!` and `|` stand for. */
  readonly one: 'i' | 'l'
  /** What remains of a letter that is there three times and more. */
  readonly times: 1 | 2
  readonly alphabet: 'latin' | 'cyrillic'
}

const WAYS: readonly Way[] = [
  { hows: LEET | MIXED | FOREIGN | LONG | SPACED, one: 'i', times: 1, alphabet: 'latin' },
  { hows: EITHER | LONG | SPACED, one: 'l', times: 2, alphabet: 'latin' },
  { hows: MIXED | LEET_CYRILLIC, one: 'i', times: 1, alphabet: 'cyrillic' },
]

const [GAP_BIT, SIGN_BIT] = [Math.log2(GAP), Math.log2(SIGN)]
const L = 0x6c
const EITHERS = new Set(Array.from('1!|', (c) => c.charCodeAt(0)))
const CYRILLIC_UNITS = new Map(
  Array.from(CYRILLIC_OF, ([from, to]) => [from.charCodeAt(0), to.charCodeAt(0)]),
)

/**
 * Visits the ways in which a text can be read, at most four, one after the other: as it stands, and where
 * something seems disguised, what that stands for, with so many words before and behind it.
 */
export const visitNormalizations = (
  text: string,
  reach: number,
  visit: (reading: NormalizedText) => void,
): void => {
  const folded = fold(text)
  const words = findWords(text, folded)
  visit(normalizePlain(folded))
  for (const way of WAYS) if (words.all & way.hows) visit(readDisguised(folded, words, way, reach))
}

/** As it stands: signs are no letters. */
export const normalizePlain = (folded: Letters): NormalizedText =>
  folded.kinds & UNSPACED ? readWithUnspaced(folded) : readSpaced(folded)

/** Where a word ends is hard to foresee: nothing here waits for it. */
const readSpaced = ({ length, letters, starts, ends }: Letters): NormalizedText => {
  const reading = openNormalizedText('plain', length)
  const { units, starts: readStarts, ends: readEnds } = reading
  let n = reading.length
  let wasGap = 1
  for (let at = 0; at < length; at++) {
    const letter = letters[at]!
    const isGap = ((letter >> GAP_BIT) | (letter >> SIGN_BIT)) & 1
    units[n] = (letter & 0xffff & (isGap - 1)) | (SPACE & -isGap)
    readStarts[n] = starts[at]!
    readEnds[n] = ends[at]!
    n += 1 - (isGap & wasGap)
    wasGap = isGap
  }
  reading.length = n
  separate(reading)
  return reading
}

const readWithUnspaced = ({ length, letters, starts, ends }: Letters): NormalizedText => {
  const reading = openNormalizedText('plain', length)
  for (let at = 0; at < length; at++) {
    const letter = letters[at]!
    const isLetter = (letter & (LETTER | DIGIT | UNSPACED)) !== 0
    if (!isLetter || letter & UNSPACED) separate(reading)
    if (isLetter) write(reading, unitOf(letter), starts[at]!, ends[at]!)
    if (letter & UNSPACED) separate(reading)
  }
  separate(reading)
  return reading
}

const readDisguised = (folded: Letters, words: Words, way: Way, reach: number): NormalizedText => {
  const { count, froms, ends, hows } = words
  const reading = openNormalizedText('disguised', 0)
  let done = 0
  for (let n = 0; n < count; n++) {
    if (!(hows[n]! & way.hows)) continue
    const first = Math.max(done, n - reach)
    if (first > done) cut(reading)
    done = endOfReach(words, n, way, reach)
    for (let at = first; at < done; at++) {
      readWord(reading, folded, { from: froms[at]!, end: ends[at]!, how: hows[at]! }, way)
      separate(reading)
    }
    n = done - 1
  }
  return reading
}

/** Behind the last of the disguised words that are within reach one from the other. */
const endOfReach = ({ count, hows }: Words, first: number, way: Way, reach: number): number => {
  let end = Math.min(count, first + reach + 1)
  for (let at = first; at < end; at++)
    if (hows[at]! & way.hows) end = Math.min(count, at + reach + 1)
  return end
}

type Word = { readonly from: number; readonly end: number; readonly how: number }

const readWord = (reading: NormalizedText, folded: Letters, word: Word, way: Way): void => {
  const { letters, starts, ends } = folded
  const { from, end, how } = word
  let run = 0
  for (let at = from; at < end; at++) {
    const unit = unitIn(letters[at]!, how, way)
    const isLetter =
      !(letters[at]! & GAP) && !(letters[at]! & SIGN && unit === unitOf(letters[at]!))
    if (!isLetter && !(how & SPACED)) separate(reading)
    if (!isLetter) continue
    const last = reading.length - 1
    run = run > 0 && unit === reading.units[last] ? run + 1 : 1
    if (how & LONG && run > way.times && isInLongRun(letters, at)) reading.ends[last] = ends[at]!
    else write(reading, unit, starts[at]!, ends[at]!)
    // What stands before a word that is spaced out may be a word of one letter.
    if (how & SPACED && at === from && way.times === 2) separate(reading)
  }
}

/** Of a row of three and more of one letter, but for the first of it. */
const isInLongRun = (letters: Int32Array, at: number): boolean =>
  (letters[at]! & LETTER) > 0 &&
  letters[at - 1] === letters[at] &&
  (letters[at - 2] === letters[at] || letters[at + 1] === letters[at])

const unitIn = (letter: number, how: number, way: Way): number => {
  const unit = unitOf(letter)
  if (how === 0 || letter & UNSPACED) return unit
  if (way.alphabet === 'cyrillic')
    return how & (MIXED | LEET_CYRILLIC) ? (CYRILLIC_UNITS.get(unit) ?? unit) : unit
  if (letter & (DIGIT | SIGN) && how & LEET)
    return way.one === 'l' && EITHERS.has(unit) ? L : lookOf(letter) || unit
  return letter & ALIKE && how & (MIXED | FOREIGN | SPACED) ? lookOf(letter) || unit : unit
}
