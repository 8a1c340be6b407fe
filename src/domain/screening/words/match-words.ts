import { visitNormalizations } from '../folding/normalize-text.ts'
import { type NormalizedText, SPACE } from '../folding/normalized-text.ts'
import { type Automaton, buildAutomaton, findStrings } from './aho-corasick.ts'
import { parseEntry, readSigns, type Signs } from './parse-entry.ts'
import { createWildcardPieces, matchWildcards, type WildcardPieces } from './wildcard-pieces.ts'

/** A place where an entry of the list matches: UTF-16 code units of the text. */
export type WordMatch = { readonly entry: number; readonly start: number; readonly end: number }

export type WordMatches = {
  readonly matches: readonly WordMatch[]
  /** The cost: code units that were read, and steps of the automaton and the wildcards. */
  readonly steps: number
}

/** More matches than a moderator reads. Beyond them only matches of stricter entries are added. */
const MAX_MATCHES = 50

/** A list of entries, ready to be searched for. */
export type CompiledWords = {
  /** Finds the strings below, which are numbered. */
  readonly automaton: Automaton
  readonly lengths: Uint16Array
  /** The entry that a string is, or -1. */
  readonly entryOf: Int32Array
  /** The entries that a string is once signs stand around it. */
  readonly signedEntriesOf: ReadonlyMap<number, readonly number[]>
  readonly signs: ReadonlyMap<number, Signs>
  readonly pieces: WildcardPieces
  /** How many words beside a disguised one can belong to the same entry. */
  readonly contextWords: number
}

/** Compiles a list. The order of its entries matters: of two matches in one place the earlier entry wins. */
export const compileWords = (entries: Iterable<string>): CompiledWords => {
  const entryOf = new Map<string, number>()
  const signedEntriesOf = new Map<string, number[]>()
  const signs = new Map<number, Signs>()
  const pieces = createWildcardPieces()
  let [entry, contextWords] = [0, 0]
  for (const text of entries) {
    const around = readSigns(text)
    if (around) signs.set(entry, around)
    for (const terms of parseEntry(text)) {
      const [first] = terms
      contextWords = Math.max(contextWords, terms.join('').trim().split(' ').length - 1)
      if (terms.length !== 1) pieces.add(terms, entry)
      else if (around) signedEntriesOf.set(first!, [...(signedEntriesOf.get(first!) ?? []), entry])
      else if (!entryOf.has(first!)) entryOf.set(first!, entry)
    }
    entry++
  }
  const strings = [
    ...new Set([...entryOf.keys(), ...signedEntriesOf.keys(), ...pieces.strings()]),
  ].sort()
  return {
    automaton: buildAutomaton(strings),
    lengths: Uint16Array.from(strings, ({ length }) => length),
    entryOf: Int32Array.from(strings, (string) => entryOf.get(string) ?? -1),
    signedEntriesOf: new Map(
      strings.flatMap((string, n) => {
        const signed = signedEntriesOf.get(string)
        return signed ? [[n, signed] as const] : []
      }),
    ),
    signs,
    pieces: pieces.pack(strings),
    contextWords,
  }
}

/**
 * Finds the entries in a text, however they are spelled or disguised. One pass searches for all entries, so
 * the time depends on the length of the text alone.
 */
export const matchWords = (words: CompiledWords, text: string): WordMatches => {
  const matches = new Map<number, WordMatch>()
  let lowestEntry = Number.POSITIVE_INFINITY
  const report = (match: WordMatch): void => {
    if (!hasSigns(text, match, words.signs.get(match.entry))) return
    const place = match.start * 2 ** 26 + match.end
    const known = matches.get(place)
    const isKept = known
      ? match.entry < known.entry
      : matches.size < MAX_MATCHES || match.entry < lowestEntry
    if (!isKept) return
    matches.set(place, match)
    lowestEntry = Math.min(lowestEntry, match.entry)
  }
  let steps = text.length
  visitNormalizations(text, words.contextWords, (normalized) => {
    steps += normalized.length + matchNormalized(words, normalized, report)
  })
  return { matches: [...matches.values()].sort(byPlace), steps }
}

const hasSigns = (text: string, { start, end }: WordMatch, signs: Signs | undefined): boolean => {
  if (!signs) return true
  const from = start - signs.before.length
  return from >= 0 && text.startsWith(signs.before, from) && text.startsWith(signs.after, end)
}

const byPlace = (a: WordMatch, b: WordMatch): number => a.start - b.start || b.end - a.end

/** @returns the steps that it took */
const matchNormalized = (
  words: CompiledWords,
  normalized: NormalizedText,
  report: (match: WordMatch) => void,
): number => {
  const { automaton, lengths, entryOf, signedEntriesOf, pieces } = words
  const reportSpan = (entry: number, from: number, end: number): void =>
    report({ entry, ...placeInText(normalized, from, end) })
  const addPiece =
    pieces.all.length > 0 ? matchWildcards(pieces, normalized, reportSpan) : undefined
  let moreSteps = 0
  const steps = findStrings(automaton, normalized, (string, end) => {
    const from = end - lengths[string]!
    if (entryOf[string]! >= 0) reportSpan(entryOf[string]!, from, end)
    for (const entry of signedEntriesOf.get(string) ?? []) {
      reportSpan(entry, from, end)
      moreSteps++
    }
    if (addPiece) moreSteps += addPiece(string, from, end)
  })
  return steps + moreSteps
}

/** Leaves out the spaces that mark the ends of words. */
const placeInText = ({ units, starts, ends }: NormalizedText, from: number, end: number) => ({
  start: starts[units[from] === SPACE ? from + 1 : from]!,
  end: ends[units[end - 1] === SPACE ? end - 2 : end - 1]!,
})
