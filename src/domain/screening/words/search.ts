import { visitNormalizations } from '../folding/normalize.ts'
import { type NormalizedText, SPACE } from '../folding/normalized-text.ts'
import { type Automaton, buildAutomaton, scan } from './automaton.ts'
import { type Edges, edgesOf, readEntry } from './entries.ts'
import { type Chains, createChains, followChains } from './wildcards.ts'

/** Where an entry was found: UTF-16 code units of the text. */
export type Hit = { readonly entry: number; readonly start: number; readonly end: number }

export type Search = (text: string) => {
  readonly hits: readonly Hit[]
  /** What it took: code units that were read, and steps of the automaton and of chains. */
  readonly steps: number
}

/** More places than a moderator reads; an entry of lower number is always told. */
const MAX_HITS = 50

type Ready = {
  readonly automaton: Automaton
  readonly lengths: Uint16Array
  /** The entry that a string is, or -1. */
  readonly wholes: Int32Array
  /** The entries that a string is with signs around it. */
  readonly edged: ReadonlyMap<number, readonly number[]>
  readonly edges: ReadonlyMap<number, Edges>
  readonly chains: Chains
  /** So many words beside a disguised one can be of the same entry. */
  readonly reach: number
}

/** Looks for all entries at once. Of those in the same place, finds the one of the lowest number. */
export const compileSearch = (entries: Iterable<string>): Search => {
  const wholes = new Map<string, number>()
  const edged = new Map<string, number[]>()
  const edges = new Map<number, Edges>()
  const chains = createChains()
  let [entry, reach] = [0, 0]
  for (const text of entries) {
    const edge = edgesOf(text)
    if (edge) edges.set(entry, edge)
    for (const sought of readEntry(text)) {
      reach = Math.max(reach, sought.join('').trim().split(' ').length - 1)
      if (sought.length !== 1) chains.add(sought, entry)
      else if (edge) edged.set(sought[0]!, [...(edged.get(sought[0]!) ?? []), entry])
      else if (!wholes.has(sought[0]!)) wholes.set(sought[0]!, entry)
    }
    entry++
  }
  const strings = [...new Set([...wholes.keys(), ...edged.keys(), ...chains.pieces.keys()])].sort()
  const ready: Ready = {
    automaton: buildAutomaton(strings),
    lengths: Uint16Array.from(strings, ({ length }) => length),
    wholes: Int32Array.from(strings, (string) => wholes.get(string) ?? -1),
    edged: new Map(strings.flatMap((s, n) => (edged.has(s) ? [[n, edged.get(s)!]] : []))),
    edges,
    chains: chains.pack(strings),
    reach,
  }
  return (text) => searchIn(ready, text)
}

const searchIn = (ready: Ready, text: string): ReturnType<Search> => {
  const hits = new Map<number, Hit>()
  let lowest = Number.POSITIVE_INFINITY
  const tell = (hit: Hit): void => {
    if (!hasEdges(text, hit, ready.edges.get(hit.entry))) return
    const place = hit.start * 2 ** 26 + hit.end
    const known = hits.get(place)
    if (known ? known.entry <= hit.entry : hits.size >= MAX_HITS && hit.entry >= lowest) return
    hits.set(place, hit)
    lowest = Math.min(lowest, hit.entry)
  }
  let steps = text.length
  visitNormalizations(text, ready.reach, (reading) => {
    steps += reading.length + search(ready, reading, tell)
  })
  return { hits: [...hits.values()].sort(byPlace), steps }
}

const hasEdges = (text: string, { start, end }: Hit, edges: Edges | undefined): boolean => {
  if (!edges) return true
  const from = start - edges.lead.length
  return from >= 0 && text.startsWith(edges.lead, from) && text.startsWith(edges.tail, end)
}

const byPlace = (a: Hit, b: Hit): number => a.start - b.start || b.end - a.end

const search = (ready: Ready, reading: NormalizedText, tell: (hit: Hit) => void): number => {
  const { automaton, lengths, wholes, edged, chains } = ready
  const tellPlace = (entry: number, from: number, end: number): void =>
    tell({ entry, ...placeOf(reading, from, end) })
  const follow = chains.links.length > 0 ? followChains(chains, reading, tellPlace) : undefined
  let more = 0
  const steps = scan(automaton, reading, (string, end) => {
    const from = end - lengths[string]!
    if (wholes[string]! >= 0) tellPlace(wholes[string]!, from, end)
    for (const entry of edged.get(string) ?? []) {
      tellPlace(entry, from, end)
      more++
    }
    if (follow) more += follow(string, from, end)
  })
  return steps + more
}

/** Without the spaces that stand for the ends of words. */
const placeOf = ({ units, starts, ends }: NormalizedText, from: number, end: number) => ({
  start: starts[units[from] === SPACE ? from + 1 : from]!,
  end: ends[units[end - 1] === SPACE ? end - 2 : end - 1]!,
})
