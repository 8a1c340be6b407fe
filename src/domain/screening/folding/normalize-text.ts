import {
  EITHER,
  FOREIGN,
  findWords,
  LEET,
  LEET_CYRILLIC,
  LONG,
  MIXED,
  SPACED,
  type WordList,
} from './find-disguises.ts'
import { type FoldedText, foldText } from './fold-text.ts'
import { ALIKE, DIGIT, GAP, LETTER, lookOf, SIGN, UNSPACED, unitOf } from './letter-codes.ts'
import { CYRILLIC_OF } from './look-alikes.ts'
import {
  addLetter,
  endPart,
  endWord,
  type NormalizedText,
  openNormalizedText,
  SPACE,
} from './normalized-text.ts'

/** One way to undo disguises. */
type Variant = {
  /** The disguises that it undoes. */
  readonly disguises: number
  /** The letter that `1`, `!` and `|` stand for. */
  readonly oneMeans: 'i' | 'l'
  /** How many letters remain of a row of at least three. */
  readonly keptRepeats: 1 | 2
  readonly alphabet: 'latin' | 'cyrillic'
}

const VARIANTS: readonly Variant[] = [
  {
    disguises: LEET | MIXED | FOREIGN | LONG | SPACED,
    oneMeans: 'i',
    keptRepeats: 1,
    alphabet: 'latin',
  },
  { disguises: EITHER | LONG | SPACED, oneMeans: 'l', keptRepeats: 2, alphabet: 'latin' },
  { disguises: MIXED | LEET_CYRILLIC, oneMeans: 'i', keptRepeats: 1, alphabet: 'cyrillic' },
]

const [GAP_BIT, SIGN_BIT] = [Math.log2(GAP), Math.log2(SIGN)]
const L = 0x6c
const EITHERS = new Set(Array.from('1!|', (c) => c.charCodeAt(0)))
const CYRILLIC_UNITS = new Map(
  Array.from(CYRILLIC_OF, ([from, to]) => [from.charCodeAt(0), to.charCodeAt(0)]),
)

/**
 * Visits the normalizations of a text, at most four: the plain text, and then the disguised words with
 * their disguises undone.
 * @param contextWords how many words before and after a disguised word are visited with it
 */
export const visitNormalizations = (
  text: string,
  contextWords: number,
  visit: (normalized: NormalizedText) => void,
): void => {
  const folded = foldText(text)
  const words = findWords(text, folded)
  visit(normalizePlain(folded))
  for (const variant of VARIANTS)
    if (words.allDisguises & variant.disguises)
      visit(normalizeDisguised(folded, words, variant, contextWords))
}

/** Normalizes a text without undoing disguises: signs separate words. */
export const normalizePlain = (folded: FoldedText): NormalizedText =>
  folded.kinds & UNSPACED ? normalizeUnspaced(folded) : normalizeSpaced(folded)

/** Without branches in the loop: the processor cannot predict where words end. */
const normalizeSpaced = ({ length, letters, starts, ends }: FoldedText): NormalizedText => {
  const normalized = openNormalizedText('plain', length)
  const { units, starts: readStarts, ends: readEnds } = normalized
  let n = normalized.length
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
  normalized.length = n
  endWord(normalized)
  return normalized
}

const normalizeUnspaced = ({ length, letters, starts, ends }: FoldedText): NormalizedText => {
  const normalized = openNormalizedText('plain', length)
  for (let at = 0; at < length; at++) {
    const letter = letters[at]!
    const isLetter = (letter & (LETTER | DIGIT | UNSPACED)) !== 0
    if (!isLetter || letter & UNSPACED) endWord(normalized)
    if (isLetter) addLetter(normalized, unitOf(letter), starts[at]!, ends[at]!)
    if (letter & UNSPACED) endWord(normalized)
  }
  endWord(normalized)
  return normalized
}

const normalizeDisguised = (
  folded: FoldedText,
  words: WordList,
  variant: Variant,
  contextWords: number,
): NormalizedText => {
  const { count, froms, ends, disguises } = words
  const normalized = openNormalizedText('disguised', 0)
  let done = 0
  for (let n = 0; n < count; n++) {
    if (!(disguises[n]! & variant.disguises)) continue
    const first = Math.max(done, n - contextWords)
    if (first > done) endPart(normalized)
    done = endOfGroup(words, n, variant, contextWords)
    for (let at = first; at < done; at++) {
      addWord(
        normalized,
        folded,
        { from: froms[at]!, end: ends[at]!, disguise: disguises[at]! },
        variant,
      )
      endWord(normalized)
    }
    n = done - 1
  }
  return normalized
}

/** The end of a group of disguised words that are close together, with the words after it. */
const endOfGroup = (
  { count, disguises }: WordList,
  first: number,
  variant: Variant,
  contextWords: number,
): number => {
  let end = Math.min(count, first + contextWords + 1)
  for (let at = first; at < end; at++)
    if (disguises[at]! & variant.disguises) end = Math.min(count, at + contextWords + 1)
  return end
}

type Word = { readonly from: number; readonly end: number; readonly disguise: number }

const addWord = (
  normalized: NormalizedText,
  folded: FoldedText,
  word: Word,
  variant: Variant,
): void => {
  const { letters, starts, ends } = folded
  const { from, end, disguise } = word
  let run = 0
  for (let at = from; at < end; at++) {
    const unit = unitIn(letters[at]!, disguise, variant)
    const isLetter =
      !(letters[at]! & GAP) && !(letters[at]! & SIGN && unit === unitOf(letters[at]!))
    if (!isLetter && !(disguise & SPACED)) endWord(normalized)
    if (!isLetter) continue
    const last = normalized.length - 1
    run = run > 0 && unit === normalized.units[last] ? run + 1 : 1
    if (disguise & LONG && run > variant.keptRepeats && isInLongRun(letters, at))
      normalized.ends[last] = ends[at]!
    else addLetter(normalized, unit, starts[at]!, ends[at]!)
    // The first of several spaced letters may be a word of its own.
    if (disguise & SPACED && at === from && variant.keptRepeats === 2) endWord(normalized)
  }
}

/** Whether this letter belongs to a row of at least three, but is not the first of it. */
const isInLongRun = (letters: Int32Array, at: number): boolean =>
  (letters[at]! & LETTER) > 0 &&
  letters[at - 1] === letters[at] &&
  (letters[at - 2] === letters[at] || letters[at + 1] === letters[at])

const unitIn = (letter: number, disguise: number, variant: Variant): number => {
  const unit = unitOf(letter)
  if (disguise === 0 || letter & UNSPACED) return unit
  if (variant.alphabet === 'cyrillic')
    return disguise & (MIXED | LEET_CYRILLIC) ? (CYRILLIC_UNITS.get(unit) ?? unit) : unit
  if (letter & (DIGIT | SIGN) && disguise & LEET)
    return variant.oneMeans === 'l' && EITHERS.has(unit) ? L : lookOf(letter) || unit
  return letter & ALIKE && disguise & (MIXED | FOREIGN | SPACED) ? lookOf(letter) || unit : unit
}
