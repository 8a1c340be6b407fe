import { latinLookOf, letterInShape, withoutStroke } from './look-alikes.ts'

/** What a code unit of folded text is. */
export const GAP = 0
export const LETTER = 1
export const DIGIT = 2
/** Of a script that leaves no spaces between words, or a picture: each can begin and end a word. */
export const UNSPACED = 3
/** Of a text that is not read yet: a sign that stands for a letter where it is among letters. */
export const SIGN = 4

export type Letter = {
  readonly unit: number
  readonly kind: number
  /** The Latin letter that it looks like, or stands for among letters; 0: none. */
  readonly look: number
}

/** Nothing: it is not there for a reader. `mark`: it belongs to what stands before. */
export type Folded = readonly Letter[] | 'nothing' | 'mark'

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
const WORDLY = /^[\p{L}\p{N}\p{M}]$/u
const WITHOUT_SPACES =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Extended_Pictographic}ー々]$/u

/** One code point without case, accents, width and style. */
export const foldCodePoint = (codePoint: number): Folded => {
  const c = String.fromCodePoint(codePoint)
  if (INVISIBLE.test(c)) return 'nothing'
  if (isAccent(c)) return 'mark'
  const base = [...(letterInShape(codePoint) ?? c).normalize('NFKD')]
    .filter((part) => !isAccent(part))
    .join('')
    .normalize('NFC')
  return [...base].flatMap(foldBase)
}

const isAccent = (c: string): boolean => MARK.test(c) && ACCENTS.test(c) && !VOICING.test(c)

/** Upper case first: that folds ß, the final sigma and the dotless i as well. */
const foldBase = (letter: string): Letter[] => {
  const folded = [...letter.toUpperCase().toLowerCase()].filter((part) => !isAccent(part))
  const look = latinLookOf(letter) ?? LOOKS.get(letter)
  return folded
    .flatMap((part) => [...withoutStroke(part)])
    .flatMap((part) => unitsOf(part, kindOf(part), look?.charCodeAt(0) ?? 0))
}

const kindOf = (c: string): number => {
  if (c >= '0' && c <= '9') return DIGIT
  if (SIGNS.includes(c)) return SIGN
  if (WITHOUT_SPACES.test(c)) return UNSPACED
  return WORDLY.test(c) ? LETTER : GAP
}

const unitsOf = (c: string, kind: number, look: number): Letter[] =>
  kind === GAP
    ? [{ unit: SPACE, kind, look: 0 }]
    : Array.from({ length: c.length }, (_, n) => ({ unit: c.charCodeAt(n), kind, look }))
