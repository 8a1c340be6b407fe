import type { Letters } from './fold.ts'
import {
  ALIKE,
  CYRILLIC,
  DIGIT,
  GAP,
  LATIN,
  LETTER,
  lookOf,
  OTHER,
  SIGN,
  UNSPACED,
  unitOf,
} from './letters.ts'

/** How a word seems to hide what it says: digits and signs stand for letters. */
export const LEET = 1
/** Some of those stand for `i` as well as for `l`. */
export const EITHER = 2
/** Letters of two alphabets, of which some look like those of the other. */
export const MIXED = 4
/** Of another alphabet, all of it like Latin letters, in a text that is else Latin. */
export const FOREIGN = 8
/** A letter three times and more in a row. */
export const LONG = 16
/** Letters with the same sign between them all: s.p.a.c.e.d out. */
export const SPACED = 32
/** Cyrillic letters and digits. */
export const LEET_CYRILLIC = 64

/** The words of a text as a reading has them, and how each is disguised. What is spaced out is one word. */
export type Words = {
  count: number
  readonly froms: Int32Array
  readonly ends: Int32Array
  readonly hows: Uint8Array
  /** All of them together. */
  all: number
}

const SPACED_LETTERS = 3
/** What stands behind a number as it is measured, counted or ordered. */
const UNITS = new Set('st nd rd th am pm km kg cm mm ml ft oz lb gb mb tb kb hz ms in'.split(' '))
const [BANG, ONE, BAR] = [0x21, 0x31, 0x7c]
const isEither = (unit: number): boolean => unit === ONE || unit === BANG || unit === BAR

/** Room that words are found in, text after text. */
const KEPT = 1 << 15
let kept: Words | undefined

const openWords = (capacity: number): Words => {
  if (capacity > KEPT) return createWords(capacity)
  kept ??= createWords(KEPT)
  kept.count = 0
  kept.all = 0
  return kept
}

const createWords = (capacity: number): Words => ({
  count: 0,
  froms: new Int32Array(capacity),
  ends: new Int32Array(capacity),
  hows: new Uint8Array(capacity),
  all: 0,
})

/** Each letter is looked at a few times, however they stand. They last until the next text's are found. */
export const findWords = (text: string, folded: Letters): Words => {
  const words = openWords(folded.length)
  splitWords(words, folded, readsLatin(folded))
  joinSpaced(text, folded, words)
  return words
}

/** Not a word in it can only be written in another alphabet, and most letters are Latin. */
const readsLatin = ({ letters, length, kinds }: Letters): boolean => {
  if (!(kinds & (ALIKE | OTHER))) return true
  let [latin, alike] = [0, 0]
  for (let at = 0; at < length; at++) {
    if (letters[at]! & LATIN) latin++
    else if (letters[at]! & ALIKE) alike++
    else if (letters[at]! & OTHER) return false
  }
  return latin > alike
}

const splitWords = (words: Words, folded: Letters, isLatinText: boolean): void => {
  const { letters, length } = folded
  const { froms, ends, hows } = words
  const between = GAP | UNSPACED
  for (let at = 0; at < length; ) {
    let from = at++
    if (letters[from]! & GAP) continue
    if (!(letters[from]! & UNSPACED)) while (at < length && !(letters[at]! & between)) at++
    const end = endWithoutMarks(letters, from, at)
    from = beginOfLetters(letters, from, end)
    if (from === end) continue
    const how = howHidden(folded, from, end, isLatinText)
    froms[words.count] = from
    ends[words.count] = end
    hows[words.count++] = how
    words.all |= how
  }
}

const isMark = (letter: number): boolean =>
  (letter & SIGN) !== 0 && (unitOf(letter) === BANG || unitOf(letter) === BAR)

const endWithoutMarks = (letters: Int32Array, from: number, behind: number): number => {
  let end = behind
  while (end > from && isMark(letters[end - 1]!)) end--
  return end
}

/** Without marks, and without the sign of a price. */
const beginOfLetters = (letters: Int32Array, first: number, end: number): number => {
  let from = first
  while (from < end && isMark(letters[from]!)) from++
  while (from + 1 < end && letters[from]! & SIGN && letters[from + 1]! & DIGIT) from++
  return from
}

const howHidden = (folded: Letters, from: number, end: number, isLatinText: boolean): number => {
  const { letters } = folded
  let [all, runs, run, before] = [0, 0, 0, 0]
  for (let at = from; at < end; at++) {
    const letter = letters[at]!
    all |= letter
    run = letter === before ? run + 1 : 1
    if (run > 2 && letter & LETTER) runs = LONG
    before = letter
  }
  // Most words are of Latin letters and nothing else.
  return (all & ~0xffff) === LATIN ? runs : runs | howMixed(folded, { from, end, all }, isLatinText)
}

type Seen = { readonly from: number; readonly end: number; readonly all: number }

const howMixed = (folded: Letters, { from, end, all }: Seen, isLatinText: boolean): number => {
  const isForeign = isLatinText && (all & LETTER) === ALIKE
  const signs = all & (DIGIT | SIGN) ? findSigns(folded, from, end) : 0
  const isLeet = signs > 0 && (all & LATIN || isForeign) && !isMeasure(folded, from, end)
  return (
    (all & LATIN && all & (ALIKE | CYRILLIC) ? MIXED : 0) |
    (isForeign ? FOREIGN : 0) |
    (isLeet ? signs : 0) |
    (all & CYRILLIC && signs > 0 ? LEET_CYRILLIC : 0)
  )
}

/** Whether there are some that stand for letters, and for two. */
const findSigns = ({ letters }: Letters, from: number, end: number): number => {
  let signs = 0
  for (let at = from; at < end; at++) {
    if (!(letters[at]! & (DIGIT | SIGN)) || lookOf(letters[at]!) === 0) continue
    signs |= isEither(unitOf(letters[at]!)) ? LEET | EITHER : LEET
  }
  return signs
}

/** A number with what it counts: 5k, 1st, 10am, 500mm. */
const isMeasure = ({ letters }: Letters, from: number, end: number): boolean => {
  let at = from
  while (at < end && letters[at]! & DIGIT) at++
  if (at === from || end - at > 2) return false
  if (end - at < 2 || at - from > 1) return true
  return UNITS.has(String.fromCharCode(unitOf(letters[at]!), unitOf(letters[at + 1]!)))
}

/** Makes one word of each row of single letters. */
const joinSpaced = (text: string, folded: Letters, words: Words): void => {
  const { froms, ends, hows, count } = words
  let kept = 0
  for (let n = 0; n < count; kept++) {
    const behind = endOfRow(text, folded, words, { first: n, count })
    const isRow =
      behind - n >= SPACED_LETTERS && isMostlyLetters(folded, froms[n]!, ends[behind - 1]!)
    froms[kept] = froms[n]!
    ends[kept] = isRow ? ends[behind - 1]! : ends[n]!
    hows[kept] = isRow ? SPACED | LEET | EITHER : hows[n]!
    if (isRow) words.all |= SPACED
    if (isRow) n = behind
    else {
      // What ends a row that is none may begin another, with another sign: no word is looked at thrice.
      const next = Math.max(n + 1, behind - 1)
      for (n++; n < next; n++) {
        kept++
        froms[kept] = froms[n]!
        ends[kept] = ends[n]!
        hows[kept] = hows[n]!
      }
    }
  }
  words.count = kept
}

type Row = { readonly first: number; readonly count: number }

/** The word behind those that stand alone with the same sign between them. */
const endOfRow = (text: string, folded: Letters, words: Words, { first, count }: Row): number => {
  let n = first + 1
  if (!isSingle(folded, words, first)) return n
  const sign = signBefore(text, folded, words, n)
  while (n < count && isSingle(folded, words, n) && signBefore(text, folded, words, n) === sign) n++
  return n
}

const isSingle = ({ letters }: Letters, { froms, ends }: Words, n: number): boolean =>
  ends[n]! - froms[n]! === 1 && !(letters[froms[n]!]! & UNSPACED)

/** The one sign between this word and the one before; NaN: there are none or several. */
const signBefore = (
  text: string,
  { starts }: Letters,
  { froms, ends }: Words,
  n: number,
): number => (froms[n]! - ends[n - 1]! === 1 ? text.charCodeAt(starts[ends[n - 1]!]!) : Number.NaN)

const isMostlyLetters = ({ letters }: Letters, from: number, end: number): boolean => {
  let [words, others] = [0, 0]
  for (let at = from; at < end; at++) {
    if (letters[at]! & LETTER) words++
    else if (letters[at]! & (DIGIT | SIGN)) others++
  }
  return words > others
}
