import { type NormalizedText, SPACE } from '../folding/normalized-text.ts'
import { listAt, type PackedLists, packLists, shareInts } from './packed.ts'
import type { SearchTerms } from './parse-entry.ts'

/**
 * A piece of an entry with a wildcard, such as `ck` of `f*ck`, that follows the pieces before it. Entries
 * that begin with the same pieces share them.
 */
type Piece = {
  /** The number of the piece before; -1 for the first. */
  readonly before: number
  /** The entry that is complete with this piece, or -1. */
  entry: number
}

export type WildcardPieces = {
  /** The fields of all pieces. */
  readonly befores: Int32Array
  readonly entries: Int32Array
  /** The pieces with the text of a numbered string. */
  readonly ofString: PackedLists
}

export const createWildcardPieces = () => {
  const all: Piece[] = []
  const known = new Map<string, number>()
  const byText = new Map<string, number[]>()
  const addPiece = (text: string, before: number): number => {
    const key = `${before}${text}`
    const piece = known.get(key) ?? all.push({ before, entry: -1 }) - 1
    if (!known.has(key)) {
      const alike = byText.get(text)
      if (alike) alike.push(piece)
      else byText.set(text, [piece])
    }
    known.set(key, piece)
    return piece
  }
  return {
    strings: () => byText.keys(),
    add: (terms: SearchTerms, entry: number): void => {
      const last = terms.reduce((before, text) => addPiece(text, before), -1)
      if (all[last]?.entry === -1) all[last].entry = entry
    },
    pack: (strings: readonly string[]): WildcardPieces => ({
      befores: shareInts(all.map(({ before }) => before)),
      entries: shareInts(all.map(({ entry }) => entry)),
      ofString: packLists(all.length > 0 ? strings.map((one) => byText.get(one) ?? []) : []),
    }),
  }
}

/**
 * Creates a function for one normalized text that takes the strings found in it, in the order of their
 * ends. A piece counts when the piece before it was found in the same word; complete entries are reported.
 * @returns the function, which returns the number of pieces it examined
 */
export const matchWildcards = (
  { befores, entries, ofString }: WildcardPieces,
  normalized: NormalizedText,
  report: (entry: number, from: number, end: number) => void,
): ((string: number, from: number, end: number) => number) => {
  const wordNumbers = countWords(normalized)
  /** Of each piece, in the last word that has it: its first end there, and the start of the first piece. */
  const ends = new Int32Array(befores.length).fill(-1)
  const starts = new Int32Array(befores.length)
  const addPiece = (number: number, from: number, end: number): void => {
    const [before, entry] = [befores[number]!, entries[number]!]
    const endBefore = before < 0 ? from : ends[before]!
    if (endBefore < 0 || endBefore > from || wordNumbers[endBefore] !== wordNumbers[from]) return
    const start = before < 0 ? from : starts[before]!
    if (ends[number]! < 0 || wordNumbers[ends[number]!] !== wordNumbers[end]) {
      ends[number] = end
      starts[number] = start
    }
    if (entry >= 0) report(entry, start, end)
  }
  return (string, from, end) => {
    const pieces = listAt(ofString, string)
    for (const number of pieces) addPiece(number, from, end)
    return pieces.length
  }
}

/** The number of spaces before each place: places in the same word have the same number. */
const countWords = ({ units, length }: NormalizedText): Int32Array => {
  const counts = new Int32Array(length + 1)
  for (let at = 0; at < length; at++) counts[at + 1] = counts[at]! + (units[at] === SPACE ? 1 : 0)
  return counts
}
