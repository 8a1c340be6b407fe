import { fold } from '../folding/fold.ts'
import { normalizePlain, visitNormalizations } from '../folding/normalize.ts'
import type { NormalizedText } from '../folding/normalized-text.ts'

/**
 * What an entry looks for, in one of its ways: these strings in a row, with letters and digits alone
 * between them. A space at an end stands for the end of a word.
 */
export type SearchTerms = readonly string[]

/**
 * An entry is text as people write it, and `*` stands for any letters and digits. Signs within a word, as
 * in `a$$`, are letters in disguise; what else is neither letter nor digit separates words.
 */
export const readEntry = (entry: string): readonly SearchTerms[] => {
  const parts = entry.split('*')
  const last = parts.length - 1
  const ways = parts.map((part) => (SIGNS.test(part) ? readHidden(part) : [readPart(part)]))
  const count = Math.max(...ways.map(({ length }) => length))
  return Array.from({ length: count }, (_, way) =>
    parts
      .map((part, n) => {
        const text = ways[n]![way] ?? ways[n]![0]!
        const begun = n > 0 && !BEGINS_APART.test(part) ? text.trimStart() : text
        return n < last && !ENDS_APART.test(part) ? begun.trimEnd() : begun
      })
      .filter((text) => text.trim() !== ''),
  )
}

const SIGNS = /[@$€!|]/
/** Beside `*` a word ends only where the entry says so. */
const BEGINS_APART = /^[^\p{L}\p{N}\p{M}@$€]/u
const ENDS_APART = /[^\p{L}\p{N}\p{M}@$€]$/u

const readPart = (part: string): string => textOf(normalizePlain(fold(part)))

/** Where nothing is disguised, a sign is a sign. */
const readHidden = (part: string): readonly string[] => {
  const texts: string[] = []
  visitNormalizations(part, part.length, (reading) => texts.push(textOf(reading)))
  return texts.length > 1 ? texts.slice(1) : texts
}

const textOf = ({ units, length }: NormalizedText): string =>
  String.fromCharCode(...units.subarray(0, length))

/** Signs around an entry have to stand there as they are; empty: none. */
export type Edges = { readonly lead: string; readonly tail: string }

export const edgesOf = (entry: string): Edges | undefined => {
  const text = entry.trim()
  const [lead, tail] = [LEAD.exec(text)![0], text.slice(text.length - countTail(text))]
  return lead === '' && tail === '' ? undefined : { lead, tail }
}

/** A currency or an at sign is a letter in disguise where it touches one. */
const LEAD = /^(?:[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}*@$€]|[@$€]+(?![@$€\p{L}\p{N}]))*/u
const SIGN = /[^\p{L}\p{N}\p{M}\p{Extended_Pictographic}*@$€]/u
const LETTER = /[\p{L}\p{N}]/u

/** Sign by sign from the end: an expression would begin at each of them. */
const countTail = (text: string): number => {
  const reversed = Array.from(text).reverse()
  const letter = reversed.findIndex((c) => LETTER.test(c) || !(SIGN.test(c) || '@$€'.includes(c)))
  const signs = reversed.slice(0, letter < 0 ? reversed.length : letter)
  // Those of them that touch the letter may be letters.
  while (signs.length > 0 && '@$€'.includes(signs.at(-1)!)) signs.pop()
  return signs.join('').length
}
