import { type NormalizedText, SPACE } from '../folding/normalized-text.ts'
import type { SearchTerms } from './entries.ts'

/** A piece of an entry such as `f*ck`, behind those before it. Entries that begin alike share links. */
type Link = {
  /** The link before; -1: none. */
  readonly before: number
  /** What ends with it; -1: no entry does. */
  entry: number
}

export type Chains = {
  readonly links: readonly Readonly<Link>[]
  /** The links of a string. */
  readonly linksOf: ReadonlyMap<number, readonly number[]>
}

export const createChains = () => {
  const links: Link[] = []
  const known = new Map<string, number>()
  const pieces = new Map<string, number[]>()
  const addLink = (piece: string, before: number): number => {
    const key = `${before}${piece}`
    const link = known.get(key) ?? links.push({ before, entry: -1 }) - 1
    if (!known.has(key)) pieces.set(piece, [...(pieces.get(piece) ?? []), link])
    known.set(key, link)
    return link
  }
  return {
    pieces,
    add: (sought: SearchTerms, entry: number): void => {
      const last = sought.reduce((before, piece) => addLink(piece, before), -1)
      if (links[last]?.entry === -1) links[last].entry = entry
    },
    pack: (strings: readonly string[]): Chains => ({
      links,
      linksOf: new Map(strings.flatMap((s, n) => (pieces.has(s) ? [[n, pieces.get(s)!]] : []))),
    }),
  }
}

/**
 * For one reading, in which strings are told in the order of their ends: takes each link that the string is
 * when the one before it was met in the same word, and tells the entries that are complete.
 * @returns how many links it looked at
 */
export const followChains = (
  { links, linksOf }: Chains,
  reading: NormalizedText,
  tell: (entry: number, from: number, end: number) => void,
): ((string: number, from: number, end: number) => number) => {
  const gaps = countGaps(reading)
  /** Of each link, in the last word where it was met: where it first ended, and where its chain began. */
  const ends = new Int32Array(links.length).fill(-1)
  const begins = new Int32Array(links.length)
  const takeLink = (number: number, from: number, end: number): void => {
    const { before, entry } = links[number]!
    const prior = before < 0 ? from : ends[before]!
    if (prior < 0 || prior > from || gaps[prior] !== gaps[from]) return
    const begin = before < 0 ? from : begins[before]!
    if (ends[number]! < 0 || gaps[ends[number]!] !== gaps[end]) {
      ends[number] = end
      begins[number] = begin
    }
    if (entry >= 0) tell(entry, begin, end)
  }
  return (string, from, end) => {
    const own = linksOf.get(string) ?? []
    for (const number of own) takeLink(number, from, end)
    return own.length
  }
}

/** Before each place. */
const countGaps = ({ units, length }: NormalizedText): Int32Array => {
  const gaps = new Int32Array(length + 1)
  for (let at = 0; at < length; at++) gaps[at + 1] = gaps[at]! + (units[at] === SPACE ? 1 : 0)
  return gaps
}
