import { openInts, openUnits } from './packed.ts'

/**
 * Finds many strings in one pass: each code unit of a text is read once, however many strings there are.
 * Nodes are numbered level by level, so that the children of a node are neighbours. A node takes 18 bytes.
 * Source: A. V. Aho, M. J. Corasick, CACM 18 (1975) 333–340.
 */
export type Automaton = {
  /**
   * Node n has the children from `children[n] >> 1` up to `children[n + 1] >> 1`, by label. The lowest
   * bit is set if a string ends at the node, or at a node on its chain of failure links.
   */
  readonly children: Int32Array
  readonly labels: Uint16Array
  /** The failure link: the node of the longest suffix of this node's string that begins a string. */
  readonly fails: Int32Array
  /** The string that ends at a node, or -1. */
  readonly strings: Int32Array
  /** The nearest node, this one or one on its failure links, where a string ends; 0 for none. */
  readonly outputs: Int32Array
  /** The children of the root by label. Empty if the automaton is small: the table takes 256 KiB. */
  readonly roots: Int32Array
  /** A full transition table of the first nodes for plain labels, which most steps use. */
  readonly plain: Int32Array
}

const ROOT = 0
/** An automaton of fewer nodes searches the children of its root. */
const LARGE = 4_096
/** Nodes with a row in that table: at most 0.6 MB. */
const PLAIN_NODES = 4_096
const PLAIN = ' abcdefghijklmnopqrstuvwxyz0123456789'
const PLAIN_LABELS = PLAIN.length
const OTHER_LABEL = 255
/** The column of a label in that table. */
const COLUMNS = new Uint8Array(0x10000).fill(OTHER_LABEL)
for (let n = 0; n < PLAIN_LABELS; n++) COLUMNS[PLAIN.charCodeAt(n)] = n

/** @param strings sorted by code unit, without duplicates and empty strings */
export const buildAutomaton = (strings: readonly string[]): Automaton => {
  const size = countNodes(strings)
  const automaton: Automaton = {
    children: openInts(size + 1),
    labels: openUnits(size),
    fails: openInts(size),
    strings: openInts(size).fill(-1),
    outputs: openInts(size),
    roots: openInts(size < LARGE ? 0 : 0x10000),
    plain: openInts(Math.min(size, PLAIN_NODES) * PLAIN_LABELS),
  }
  addNodes(automaton, strings)
  if (automaton.roots.length > 0) addRoots(automaton)
  addFailureLinks(automaton)
  fillPlainTable(automaton)
  return automaton
}

/**
 * Reports every string in a text: its number, and its end.
 * @returns the steps: at most two for each code unit, and one for each reported string
 */
export const findStrings = (
  automaton: Automaton,
  { units, length }: { readonly units: Uint16Array; readonly length: number },
  report: (string: number, end: number) => void,
): number => {
  const { children, strings, outputs, fails, plain } = automaton
  const plainNodes = plain.length / PLAIN_LABELS
  let [steps, node] = [length, ROOT]
  for (let at = 0; at < length; at++) {
    const column = COLUMNS[units[at]!]!
    if (node < plainNodes && column !== OTHER_LABEL) node = plain[node * PLAIN_LABELS + column]!
    else {
      let next = findChild(automaton, node, units[at]!)
      for (; next === 0 && node !== ROOT; steps++) {
        node = fails[node]!
        next = findChild(automaton, node, units[at]!)
      }
      node = next
    }
    if (!(children[node]! & 1)) continue
    for (let out = outputs[node]!; out !== 0; out = outputs[fails[out]!]!, steps++)
      report(strings[out]!, at + 1)
  }
  return steps
}

const firstChild = ({ children }: Automaton, node: number): number => children[node]! >> 1

/** One node for each distinct prefix, and the root. */
const countNodes = (strings: readonly string[]): number => {
  let size = 1
  let before = ''
  for (const string of strings) {
    let shared = 0
    while (shared < before.length && before.charCodeAt(shared) === string.charCodeAt(shared))
      shared++
    size += string.length - shared
    before = string
  }
  return size
}

/** Fills in children and labels. A node stands for the strings from `low` up to `high`, which share a prefix. */
const addNodes = ({ children, labels, strings: ends }: Automaton, strings: readonly string[]) => {
  const [low, high] = [new Int32Array(labels.length), new Int32Array(labels.length)]
  high[ROOT] = strings.length
  let count = 1
  let levelEnd = 1
  let depth = 0
  for (let node = 0; node < labels.length; node++) {
    if (node === levelEnd) {
      levelEnd = count
      depth++
    }
    children[node] = count << 1
    let from = low[node]!
    if (from < high[node]! && strings[from]!.length === depth) ends[node] = from++
    while (from < high[node]!) {
      const label = strings[from]!.charCodeAt(depth)
      labels[count] = label
      low[count] = from
      while (from < high[node]! && strings[from]!.charCodeAt(depth) === label) from++
      high[count++] = from
    }
  }
  children[labels.length] = count << 1
}

const addRoots = (automaton: Automaton): void => {
  for (let child = firstChild(automaton, ROOT); child < firstChild(automaton, ROOT + 1); child++)
    automaton.roots[automaton.labels[child]!] = child
}

const addFailureLinks = (automaton: Automaton): void => {
  const { children, labels, fails, strings, outputs } = automaton
  for (let node = 0; node < labels.length; node++) {
    outputs[node] = strings[node]! >= 0 ? node : outputs[fails[node]!]!
    if (outputs[node] !== 0) children[node]! |= 1
    for (let child = firstChild(automaton, node); child < firstChild(automaton, node + 1); child++)
      fails[child] = node === ROOT ? ROOT : findNext(automaton, fails[node]!, labels[child]!)
  }
}

const findNext = (automaton: Automaton, from: number, unit: number): number => {
  let node = from
  let child = findChild(automaton, node, unit)
  while (child === 0 && node !== ROOT) {
    node = automaton.fails[node]!
    child = findChild(automaton, node, unit)
  }
  return child
}

/** Fills the table in order of depth: a failure link leads to a lower depth. */
const fillPlainTable = (automaton: Automaton): void => {
  const { labels, fails, plain } = automaton
  for (let node = 0; node * PLAIN_LABELS < plain.length; node++) {
    const row = node * PLAIN_LABELS
    const fail = fails[node]! * PLAIN_LABELS
    if (node !== ROOT) plain.copyWithin(row, fail, fail + PLAIN_LABELS)
    for (
      let child = firstChild(automaton, node);
      child < firstChild(automaton, node + 1);
      child++
    ) {
      const column = COLUMNS[labels[child]!]!
      if (column !== OTHER_LABEL) plain[row + column] = child
    }
  }
}

/** @returns 0 if the node has no such child */
const findChild = ({ children, labels, roots }: Automaton, node: number, unit: number): number => {
  if (node === ROOT && roots.length > 0) return roots[unit]!
  let low = children[node]! >> 1
  let high = (children[node + 1]! >> 1) - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const label = labels[middle]!
    if (label === unit) return middle
    if (label < unit) low = middle + 1
    else high = middle - 1
  }
  return 0
}
