import { latinLookOf, letterInShape, withoutStroke } from './look-alikes.ts'

/**
 * A letter is a number: its code unit in the lowest 16 bits; then the Latin letter that it looks like, or
 * stands for among letters, counted from 1; then one bit for what it is.
 */
export const LATIN = 1 << 21
/** Of another alphabet, but like a Latin letter. */
export const ALIKE = 1 << 22
/** Any other letter. */
export const OTHER = 1 << 23
export const DIGIT = 1 << 24
/** No letter, but one among letters may take it for one. */
export const SIGN = 1 << 25
/** Of a script that leaves no spaces between words, or a picture: each is a word. */
export const UNSPACED = 1 << 26
/** All that is between words. */
export const GAP = 1 << 27
/** Beside one of the others. */
export const CYRILLIC = 1 << 28
export const LETTER = LATIN | ALIKE | OTHER

export const unitOf = (letter: number): number => letter & 0xffff

/** 0: it looks like itself. */
export const lookOf = (letter: number): number => {
  const look = (letter >> 16) & 0x1f
  return look === 0 ? 0 : BEFORE_A + look
}
const BEFORE_A = 0x60

/** Nothing: it is not there for a reader. `mark`: it belongs to what stands before. */
export type Folded = readonly number[] | 'nothing' | 'mark'

/** Digits and signs that stand for letters; `1`, `!` and `|` for `i` and for `l`. */
const LOOKS = new Map(
  Object.entries({ 0: 'o', 1: 'i', 3: 'e', 4: 'a', 5: 's', 6: 'g', 7: 't', 8: 'b', 9: 'g' }).concat(
    Object.entries({ '@': 'a', $: 's', '€': 'e', '!': 'i', '|': 'i' }),
  ),
)
const SIGNS = '@$€!|'
const SPACE = 0x20

const INVISIBLE = /^[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Emoji_Modifier}]$/u
/** Accents, and the points of Hebrew and Arabic. The vowels of Indic scripts are marks too, and stay. */
const ACCENTS = /[\p{Script=Inherited}\p{Script=Hebrew}\p{Script=Cyrillic}\p{Script=Arabic}\p{Me}]/u
const MARK = /^\p{M}$/u
const VOICING = /^[\u3099\u309a]$/u
const IS_CYRILLIC = /^\p{Script=Cyrillic}$/u
const WORDLY = /^[\p{L}\p{N}\p{M}]$/u
const WITHOUT_SPACES =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Extended_Pictographic}ー々]$/u

/** One code point without case, accents, width and style. */
export const foldCodePoint = (codePoint: number): Folded => {
  const c = String.fromCodePoint(codePoint)
  if (INVISIBLE.test(c)) return 'nothing'
  if (isAccent(c)) return 'mark'
  const base = Array.from((letterInShape(codePoint) ?? c).normalize('NFKD'))
    .filter((part) => !isAccent(part))
    .join('')
    .normalize('NFC')
  return Array.from(base).flatMap(foldBase)
}

const isAccent = (c: string): boolean => MARK.test(c) && ACCENTS.test(c) && !VOICING.test(c)

/** Upper case first: that folds ß, the final sigma and the dotless i as well. */
const foldBase = (letter: string): number[] => {
  const folded = Array.from(letter.toUpperCase().toLowerCase()).filter((part) => !isAccent(part))
  const look = latinLookOf(letter) ?? LOOKS.get(letter)
  return folded
    .flatMap((part) => Array.from(withoutStroke(part)))
    .flatMap((part) => lettersOf(part, look ? look.charCodeAt(0) - BEFORE_A : 0))
}

const lettersOf = (c: string, look: number): number[] => {
  const what = whatIs(c, look)
  if (what === GAP) return [SPACE | GAP]
  const looks = what & UNSPACED ? 0 : look << 16
  return Array.from({ length: c.length }, (_, n) => c.charCodeAt(n) | looks | what)
}

const whatIs = (c: string, look: number): number => {
  if (c >= '0' && c <= '9') return DIGIT
  if (SIGNS.includes(c)) return SIGN
  if (WITHOUT_SPACES.test(c)) return UNSPACED
  if (!WORDLY.test(c)) return GAP
  if (c >= 'a' && c <= 'z') return LATIN
  return (look > 0 ? ALIKE : OTHER) | (IS_CYRILLIC.test(c) ? CYRILLIC : 0)
}
