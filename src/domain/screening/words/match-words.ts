import { visitNormalizations } from '../folding/normalize-text.ts'
import { type NormalizedText, SPACE } from '../folding/normalized-text.ts'
import { type Automaton, buildAutomaton, findStrings } from './aho-corasick.ts'
import {
  isStringAt,
  lengthAt,
  listAt,
  openInts,
  openUnits,
  type PackedLists,
  type PackedStrings,
  packLists,
  packStrings,
  shareInts,
} from './packed.ts'
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

/** A list of entries, ready to be searched for. It consists of arrays that threads share. */
export type CompiledWords = {
  readonly entries: PackedStrings
  /** Finds the strings below, which are numbered. */
  readonly automaton: Automaton
  readonly lengths: Uint16Array
  /** The entry that a string is, or -1. */
  readonly entryOf: Int32Array
  /** The entries that a string is once signs stand around it. */
  readonly signedEntriesOf: PackedLists
  /** The signs before and after each entry; no strings if no entry has signs. */
  readonly signs: { readonly before: PackedStrings; readonly after: PackedStrings }
  readonly pieces: WildcardPieces
  /** How many words beside a disguised one can belong to the same entry. */
  readonly contextWords: number
}

/** Compiles a list. The order of its entries matters: of two matches in one place the earlier entry wins. */
export const compileWords = (entries: readonly string[]): CompiledWords => {
  const entryOf = new Map<string, number>()
  const signedEntriesOf = new Map<string, number[]>()
  const pieces = createWildcardPieces()
  const signs: Signs[] = []
  let contextWords = 0
  for (const [entry, text] of entries.entries()) {
    const around = readSigns(text)
    signs.push(around ?? NO_SIGNS)
    for (const terms of parseEntry(text)) {
      const [first] = terms
      contextWords = Math.max(contextWords, terms.join('').trim().split(' ').length - 1)
      if (terms.length !== 1) pieces.add(terms, entry)
      else if (around) addTo(signedEntriesOf, first!, entry)
      else if (!entryOf.has(first!)) entryOf.set(first!, entry)
    }
  }
  const strings = [
    ...new Set([...entryOf.keys(), ...signedEntriesOf.keys(), ...pieces.strings()]),
  ].sort()
  const lengths = openUnits(strings.length)
  lengths.set(strings.map(({ length }) => length))
  return {
    entries: packStrings(entries),
    automaton: buildAutomaton(strings),
    lengths,
    entryOf: shareInts(strings.map((string) => entryOf.get(string) ?? -1)),
    signedEntriesOf:
      signedEntriesOf.size === 0
        ? NO_LISTS
        : packLists(strings.map((string) => signedEntriesOf.get(string) ?? [])),
    signs: packSigns(signs),
    pieces: pieces.pack(strings),
    contextWords,
  }
}

const NO_LISTS: PackedLists = { items: openInts(0), ends: openInts(0) }
const NO_SIGNS: Signs = { before: '', after: '' }

const packSigns = (all: readonly Signs[]): CompiledWords['signs'] => {
  const some = all.some((one) => one !== NO_SIGNS) ? all : []
  return {
    before: packStrings(some.map(({ before }) => before)),
    after: packStrings(some.map(({ after }) => after)),
  }
}

const addTo = (lists: Map<string, number[]>, name: string, number: number): void => {
  const list = lists.get(name)
  if (list) list.push(number)
  else lists.set(name, [number])
}

/**
 * Finds the entries in a text, however they are spelled or disguised. One pass searches for all entries, so
 * the time depends on the length of the text alone.
 */
export const matchWords = (words: CompiledWords, text: string): WordMatches => {
  const matches = new Map<number, WordMatch>()
  let lowestEntry = Number.POSITIVE_INFINITY
  const report: Report = {
    isWanted: (entry) => matches.size < MAX_MATCHES || entry < lowestEntry,
    add: (entry, start, end) => {
      const place = start * 2 ** 26 + end
      const known = matches.get(place)
      if (known && known.entry <= entry) return
      if (!hasSigns(words, entry, text, { start, end })) return
      matches.set(place, { entry, start, end })
      lowestEntry = Math.min(lowestEntry, entry)
    },
  }
  let steps = text.length
  visitNormalizations(text, words.contextWords, (normalized) => {
    steps += normalized.length + matchNormalized(words, normalized, report)
  })
  return { matches: [...matches.values()].sort(byPlace), steps }
}

type Report = {
  /** Whether a match of this entry would be kept. Asked first, because it takes the least time. */
  readonly isWanted: (entry: number) => boolean
  readonly add: (entry: number, start: number, end: number) => void
}

const hasSigns = (
  { signs: { before, after } }: CompiledWords,
  entry: number,
  text: string,
  { start, end }: { start: number; end: number },
): boolean =>
  before.ends.length === 0 ||
  (isStringAt(before, entry, text, start - lengthAt(before, entry)) &&
    isStringAt(after, entry, text, end))

const byPlace = (a: WordMatch, b: WordMatch): number => a.start - b.start || b.end - a.end

/** @returns the steps that it took */
const matchNormalized = (
  words: CompiledWords,
  normalized: NormalizedText,
  report: Report,
): number => {
  const { automaton, lengths, entryOf, signedEntriesOf, pieces } = words
  const reportSpan = (entry: number, from: number, end: number): void => {
    if (!report.isWanted(entry)) return
    const place = placeInText(normalized, from, end)
    report.add(entry, place.start, place.end)
  }
  const addPiece =
    pieces.befores.length > 0 ? matchWildcards(pieces, normalized, reportSpan) : undefined
  let moreSteps = 0
  const steps = findStrings(automaton, normalized, (string, end) => {
    const from = end - lengths[string]!
    if (entryOf[string]! >= 0) reportSpan(entryOf[string]!, from, end)
    if (signedEntriesOf.items.length > 0) {
      const signed = listAt(signedEntriesOf, string)
      for (const entry of signed) reportSpan(entry, from, end)
      moreSteps += signed.length
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
