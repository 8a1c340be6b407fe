import { latinLookOf, letterInShape, withoutStroke } from './look-alikes.ts'

/**
 * A letter code is a number: the code unit in the lowest 16 bits; then the Latin letter that it looks like
 * or stands for, counted from 1; then one bit for its kind.
 */
export const LATIN = 1 << 21
/** A letter of another alphabet that looks like a Latin one. */
export const ALIKE = 1 << 22
/** Any other letter. */
export const OTHER = 1 << 23
export const DIGIT = 1 << 24
/** A sign that can stand for a letter within a word. */
export const SIGN = 1 << 25
/** A character of a script without spaces, or a pictograph: each one is a word. */
export const UNSPACED = 1 << 26
/** Any character between words. */
export const GAP = 1 << 27
/** Set beside `ALIKE` or `OTHER`. */
export const CYRILLIC = 1 << 28
export const LETTER = LATIN | ALIKE | OTHER

export const unitOf = (letter: number): number => letter & 0xffff

/** The code unit of the Latin letter that it looks like; 0 for none. */
export const lookOf = (letter: number): number => {
  const look = (letter >> 16) & 0x1f
  return look === 0 ? 0 : BEFORE_A + look
}
const BEFORE_A = 0x60

/** `nothing`: the code point is invisible. `mark`: it belongs to the letter before it. */
export type FoldedCodePoint = readonly number[] | 'nothing' | 'mark'

/** Digits and signs that stand for letters. `1`, `!` and `|` also stand for `l`: see `normalize-text.ts`. */
const LOOKS = new Map(
  Object.entries({ 0: 'o', 1: 'i', 3: 'e', 4: 'a', 5: 's', 6: 'g', 7: 't', 8: 'b', 9: 'g' }).concat(
    Object.entries({ '@': 'a', $: 's', '€': 'e', '!': 'i', '|': 'i' }),
  ),
)
const SIGNS = '@$€!|'
const SPACE = 0x20

const INVISIBLE = /^[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Emoji_Modifier}]$/u
/** Accents, and the points of Hebrew and Arabic. The vowels of Indic scripts are marks too, but stay. */
const ACCENTS = /[\p{Script=Inherited}\p{Script=Hebrew}\p{Script=Cyrillic}\p{Script=Arabic}\p{Me}]/u
const MARK = /^\p{M}$/u
const VOICING = /^[\u3099\u309a]$/u
const IS_CYRILLIC = /^\p{Script=Cyrillic}$/u
const WORDLY = /^[\p{L}\p{N}\p{M}]$/u
const WITHOUT_SPACES =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Extended_Pictographic}ー々]$/u

/** Removes case, accents, width and style from one code point. */
export const foldCodePoint = (codePoint: number): FoldedCodePoint => {
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

/** Converts to upper case in between, which also folds ß and ẞ, the final sigma and the dotless i. */
const foldBase = (letter: string): number[] => {
  const plain = letter.toLowerCase().toUpperCase().toLowerCase()
  const folded = Array.from(plain).filter((part) => !isAccent(part))
  const look = latinLookOf(letter) ?? LOOKS.get(letter)
  return folded
    .flatMap((part) => Array.from(withoutStroke(part)))
    .flatMap((part) => lettersOf(part, look ? look.charCodeAt(0) - BEFORE_A : 0))
}

const lettersOf = (c: string, look: number): number[] => {
  const kind = kindOf(c, look)
  if (kind === GAP) return [SPACE | GAP]
  const looks = kind & UNSPACED ? 0 : look << 16
  return Array.from({ length: c.length }, (_, n) => c.charCodeAt(n) | looks | kind)
}

const kindOf = (c: string, look: number): number => {
  if (c >= '0' && c <= '9') return DIGIT
  if (SIGNS.includes(c)) return SIGN
  if (WITHOUT_SPACES.test(c)) return UNSPACED
  if (!WORDLY.test(c)) return GAP
  if (c >= 'a' && c <= 'z') return LATIN
  return (look > 0 ? ALIKE : OTHER) | (IS_CYRILLIC.test(c) ? CYRILLIC : 0)
}
