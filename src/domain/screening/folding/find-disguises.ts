import type { FoldedText } from './fold-text.ts'
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
} from './letter-codes.ts'

/** Kinds of disguise, one bit each. Digits and signs stand for letters. */
export const LEET = 1
/** Some of those digits and signs can stand for `i` or for `l`. */
export const EITHER = 2
/** Letters of two alphabets, some of which look like those of the other. */
export const MIXED = 4
/** A word of another alphabet in a Latin text, whose letters all look like Latin ones. */
export const FOREIGN = 8
/** A letter at least three times in a row. */
export const LONG = 16
/** Single letters with the same sign between all of them: s.p.a.c.e.d */
export const SPACED = 32
/** Cyrillic letters with digits among them. */
export const LEET_CYRILLIC = 64

/** The words of a text and their disguises. Spaced letters are one word. */
export type WordList = {
  count: number
  readonly froms: Int32Array
  readonly ends: Int32Array
  readonly disguises: Uint8Array
  /** The disguises of all words together. */
  allDisguises: number
}

const SPACED_LETTERS = 3
/** Units and ordinal endings that follow a number. */
const UNITS = new Set('st nd rd th am pm km kg cm mm ml ft oz lb gb mb tb kb hz ms in'.split(' '))
const [BANG, ONE, BAR] = [0x21, 0x31, 0x7c]
const isEither = (unit: number): boolean => unit === ONE || unit === BANG || unit === BAR

/** Arrays up to this length are reused for the next text. */
const KEPT = 1 << 15
let kept: WordList | undefined

const openWordList = (capacity: number): WordList => {
  if (capacity > KEPT) return createWordList(capacity)
  kept ??= createWordList(KEPT)
  kept.count = 0
  kept.allDisguises = 0
  return kept
}

const createWordList = (capacity: number): WordList => ({
  count: 0,
  froms: new Int32Array(capacity),
  ends: new Int32Array(capacity),
  disguises: new Uint8Array(capacity),
  allDisguises: 0,
})

/** Finds the words of a folded text in linear time. The result is overwritten by the next text's. */
export const findWords = (text: string, folded: FoldedText): WordList => {
  const words = openWordList(folded.length)
  splitWords(words, folded, isLatin(folded))
  joinSpaced(text, folded, words)
  return words
}

/** Whether most letters are Latin, and all others look like Latin ones. */
const isLatin = ({ letters, length, kinds }: FoldedText): boolean => {
  if (!(kinds & (ALIKE | OTHER))) return true
  let [latin, alike] = [0, 0]
  for (let at = 0; at < length; at++) {
    if (letters[at]! & LATIN) latin++
    else if (letters[at]! & ALIKE) alike++
    else if (letters[at]! & OTHER) return false
  }
  return latin > alike
}

const splitWords = (words: WordList, folded: FoldedText, isLatinText: boolean): void => {
  const { letters, length } = folded
  const { froms, ends, disguises } = words
  const between = GAP | UNSPACED
  for (let at = 0; at < length; ) {
    let from = at++
    if (letters[from]! & GAP) continue
    if (!(letters[from]! & UNSPACED)) while (at < length && !(letters[at]! & between)) at++
    const end = endWithoutMarks(letters, from, at)
    from = beginOfLetters(letters, from, end)
    if (from === end) continue
    const found = disguisesOf(folded, from, end, isLatinText)
    froms[words.count] = from
    ends[words.count] = end
    disguises[words.count++] = found
    words.allDisguises |= found
  }
}

const isMark = (letter: number): boolean =>
  (letter & SIGN) !== 0 && (unitOf(letter) === BANG || unitOf(letter) === BAR)

const endWithoutMarks = (letters: Int32Array, from: number, behind: number): number => {
  let end = behind
  while (end > from && isMark(letters[end - 1]!)) end--
  return end
}

/** Leaves out leading marks, and the sign of a price. */
const beginOfLetters = (letters: Int32Array, first: number, end: number): number => {
  let from = first
  while (from < end && isMark(letters[from]!)) from++
  while (from + 1 < end && letters[from]! & SIGN && letters[from + 1]! & DIGIT) from++
  return from
}

const disguisesOf = (
  folded: FoldedText,
  from: number,
  end: number,
  isLatinText: boolean,
): number => {
  const { letters } = folded
  let [all, runs, run, before] = [0, 0, 0, 0]
  for (let at = from; at < end; at++) {
    const letter = letters[at]!
    all |= letter
    run = letter === before ? run + 1 : 1
    if (run > 2 && letter & LETTER) runs = LONG
    before = letter
  }
  // Most words have only Latin letters.
  return (all & ~0xffff) === LATIN
    ? runs
    : runs | alphabetDisguisesOf(folded, { from, end, all }, isLatinText)
}

type WordLetters = { readonly from: number; readonly end: number; readonly all: number }

const alphabetDisguisesOf = (
  folded: FoldedText,
  { from, end, all }: WordLetters,
  isLatinText: boolean,
): number => {
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

/** The disguises of digits and signs that stand for letters: `LEET`, with `EITHER`, or 0. */
const findSigns = ({ letters }: FoldedText, from: number, end: number): number => {
  let signs = 0
  for (let at = from; at < end; at++) {
    if (!(letters[at]! & (DIGIT | SIGN)) || lookOf(letters[at]!) === 0) continue
    signs |= isEither(unitOf(letters[at]!)) ? LEET | EITHER : LEET
  }
  return signs
}

/** A number with its unit: 5k, 1st, 10am, 500mm. */
const isMeasure = ({ letters }: FoldedText, from: number, end: number): boolean => {
  let at = from
  while (at < end && letters[at]! & DIGIT) at++
  if (at === from || end - at > 2) return false
  if (end - at < 2 || at - from > 1) return true
  return UNITS.has(String.fromCharCode(unitOf(letters[at]!), unitOf(letters[at + 1]!)))
}

/** Joins each row of single letters into one word. */
const joinSpaced = (text: string, folded: FoldedText, words: WordList): void => {
  const { froms, ends, disguises, count } = words
  let kept = 0
  for (let n = 0; n < count; kept++) {
    const behind = endOfRow(text, folded, words, { first: n, count })
    const isRow =
      behind - n >= SPACED_LETTERS && isMostlyLetters(folded, froms[n]!, ends[behind - 1]!)
    froms[kept] = froms[n]!
    ends[kept] = isRow ? ends[behind - 1]! : ends[n]!
    disguises[kept] = isRow ? SPACED | LEET | EITHER : disguises[n]!
    if (isRow) words.allDisguises |= SPACED
    if (isRow) n = behind
    else {
      // The word that ends a short row may begin another row, with another sign. No word is read three times.
      const next = Math.max(n + 1, behind - 1)
      for (n++; n < next; n++) {
        kept++
        froms[kept] = froms[n]!
        ends[kept] = ends[n]!
        disguises[kept] = disguises[n]!
      }
    }
  }
  words.count = kept
}

type Row = { readonly first: number; readonly count: number }

/** The end of a row of single letters with the same sign between them. */
const endOfRow = (
  text: string,
  folded: FoldedText,
  words: WordList,
  { first, count }: Row,
): number => {
  let n = first + 1
  if (!isSingle(folded, words, first)) return n
  const sign = signBefore(text, folded, words, n)
  while (n < count && isSingle(folded, words, n) && signBefore(text, folded, words, n) === sign) n++
  return n
}

const isSingle = ({ letters }: FoldedText, { froms, ends }: WordList, n: number): boolean =>
  ends[n]! - froms[n]! === 1 && !(letters[froms[n]!]! & UNSPACED)

/** The only sign between this word and the one before; NaN for none or several. */
const signBefore = (
  text: string,
  { starts }: FoldedText,
  { froms, ends }: WordList,
  n: number,
): number => (froms[n]! - ends[n - 1]! === 1 ? text.charCodeAt(starts[ends[n - 1]!]!) : Number.NaN)

const isMostlyLetters = ({ letters }: FoldedText, from: number, end: number): boolean => {
  let [words, others] = [0, 0]
  for (let at = from; at < end; at++) {
    if (letters[at]! & LETTER) words++
    else if (letters[at]! & (DIGIT | SIGN)) others++
  }
  return words > others
}
