/**
 * Finds many strings at once: each code unit of a text is looked at once, however many there are.
 * Nodes are numbered level by level, so that the children of a node are neighbours: 18 bytes for each.
 * Source: A. V. Aho, M. J. Corasick, CACM 18 (1975) 333–340.
 */
export type Automaton = {
  /**
   * The children of node n are those from `children[n] >> 1` up to `children[n + 1] >> 1`, by label. The
   * lowest bit says whether a string ends at the node, or at one of its fails.
   */
  readonly children: Int32Array
  readonly labels: Uint16Array
  /** The node of the longest end of this one that is a beginning too. */
  readonly fails: Int32Array
  /** The string that ends at a node, or -1. */
  readonly strings: Int32Array
  /** The nearest node, this one or one of its fails, where a string ends; 0: none. */
  readonly outputs: Int32Array
  /** The children of the root by their label. */
  readonly roots: Int32Array
  /** Where each plain label leads from the first nodes, fails included: most steps are among them. */
  readonly plain: Int32Array
}

const ROOT = 0
/** Nodes that have a row of places for the plain labels: 0.6 MB at most. */
const PLAIN_NODES = 4_096
const PLAIN = ' abcdefghijklmnopqrstuvwxyz0123456789'
const PLAIN_LABELS = PLAIN.length
const OTHER_LABEL = 255
/** The place of a label in a row. */
const PLACES = new Uint8Array(0x10000).fill(OTHER_LABEL)
for (let n = 0; n < PLAIN_LABELS; n++) PLACES[PLAIN.charCodeAt(n)] = n

/** Of strings that are sorted by code unit, each once, none empty. */
export const buildAutomaton = (strings: readonly string[]): Automaton => {
  const size = countNodes(strings)
  const automaton: Automaton = {
    children: new Int32Array(size + 1),
    labels: new Uint16Array(size),
    fails: new Int32Array(size),
    strings: new Int32Array(size).fill(-1),
    outputs: new Int32Array(size),
    roots: new Int32Array(0x10000),
    plain: new Int32Array(Math.min(size, PLAIN_NODES) * PLAIN_LABELS),
  }
  growNodes(automaton, strings)
  for (let child = firstChild(automaton, ROOT); child < firstChild(automaton, ROOT + 1); child++)
    automaton.roots[automaton.labels[child]!] = child
  linkFails(automaton)
  fillPlain(automaton)
  return automaton
}

/**
 * Tells every place where a string ends: its number, and the place behind it.
 * @returns the steps that it took: at most two for each unit, and one for each string that is told
 */
export const scan = (
  automaton: Automaton,
  { units, length }: { readonly units: Uint16Array; readonly length: number },
  tell: (string: number, end: number) => void,
): number => {
  const { children, strings, outputs, fails, plain } = automaton
  const plainNodes = plain.length / PLAIN_LABELS
  let [steps, node] = [length, ROOT]
  for (let at = 0; at < length; at++) {
    const place = PLACES[units[at]!]!
    if (node < plainNodes && place !== OTHER_LABEL) node = plain[node * PLAIN_LABELS + place]!
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
      tell(strings[out]!, at + 1)
  }
  return steps
}

const firstChild = ({ children }: Automaton, node: number): number => children[node]! >> 1

/** A node for each beginning, and the root. */
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

/** A node stands for the strings from `low` up to `high`, which begin alike. */
const growNodes = ({ children, labels, strings: ends }: Automaton, strings: readonly string[]) => {
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

const linkFails = (automaton: Automaton): void => {
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

/** Fails come first: they are nearer to the root. */
const fillPlain = (automaton: Automaton): void => {
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
      const place = PLACES[labels[child]!]!
      if (place !== OTHER_LABEL) plain[row + place] = child
    }
  }
}

/** 0: there is none. */
const findChild = ({ children, labels, roots }: Automaton, node: number, unit: number): number => {
  if (node === ROOT) return roots[unit]!
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
