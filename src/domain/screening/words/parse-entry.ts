import { foldText } from '../folding/fold-text.ts'
import { normalizePlain, visitNormalizations } from '../folding/normalize-text.ts'
import type { NormalizedText } from '../folding/normalized-text.ts'

/**
 * The strings of an entry in one reading of its disguises: they follow one another with only letters and
 * digits between them. A space at an end stands for the end of a word.
 */
export type SearchTerms = readonly string[]

/**
 * Parses an entry, which is text as people write it. `*` stands for any letters and digits. Signs such as
 * `$` within a word are letters in disguise; any other sign separates words.
 */
export const parseEntry = (entry: string): readonly SearchTerms[] => {
  const parts = entry.split('*')
  const last = parts.length - 1
  const variants = parts.map((part) =>
    DISGUISES.test(part) ? normalizeDisguised(part) : [normalizePart(part)],
  )
  const count = Math.max(...variants.map(({ length }) => length))
  return Array.from({ length: count }, (_, variant) =>
    parts
      .map((part, n) => {
        const text = variants[n]![variant] ?? variants[n]![0]!
        const joined = n > 0 && !BEGINS_A_WORD.test(part) ? text.trimStart() : text
        return n < last && !ENDS_A_WORD.test(part) ? joined.trimEnd() : joined
      })
      .filter((text) => text.trim() !== ''),
  )
}

const DISGUISES = /[@$€!|]/
/** Beside `*` a word ends only if the entry has a separator there. */
const BEGINS_A_WORD = /^[^\p{L}\p{N}\p{M}@$€]/u
const ENDS_A_WORD = /[^\p{L}\p{N}\p{M}@$€]$/u

const normalizePart = (part: string): string => textOf(normalizePlain(foldText(part)))

/** The plain variant takes signs for separators; it counts only if there is no other. */
const normalizeDisguised = (part: string): readonly string[] => {
  const texts: string[] = []
  visitNormalizations(part, part.length, (normalized) => texts.push(textOf(normalized)))
  return texts.length > 1 ? texts.slice(1) : texts
}

const textOf = ({ units, length }: NormalizedText): string =>
  String.fromCharCode(...units.subarray(0, length))

/** Signs that must stand before and after an entry, as written; empty for none. */
export type Signs = { readonly before: string; readonly after: string }

export const readSigns = (entry: string): Signs | undefined => {
  const text = entry.trim()
  const before = LEADING_SIGNS.exec(text)![0]
  const after = text.slice(text.length - countTrailingSigns(text))
  return before === '' && after === '' ? undefined : { before, after }
}

/** A currency or at sign that touches a letter is a letter in disguise. */
const LEADING_SIGNS =
  /^(?:[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}*@$€]|[@$€]+(?![@$€\p{L}\p{N}]))*/u
const SIGN = /[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}*@$€]/u
const LETTER = /[\p{L}\p{N}]/u

/** Counts sign by sign from the end, in linear time; an expression would try every start. */
const countTrailingSigns = (text: string): number => {
  const reversed = Array.from(text).reverse()
  const letter = reversed.findIndex((c) => LETTER.test(c) || !(SIGN.test(c) || '@$€'.includes(c)))
  const signs = reversed.slice(0, letter < 0 ? reversed.length : letter)
  // Signs that touch the letter may be letters in disguise.
  while (signs.length > 0 && '@$€'.includes(signs.at(-1)!)) signs.pop()
  return signs.join('').length
}
