/** Typed arrays in shared memory: threads share them, and sending them to a thread copies nothing. */
export const shareInts = (values: ArrayLike<number>): Int32Array => {
  const shared = openInts(values.length)
  shared.set(values)
  return shared
}

export const openInts = (length: number): Int32Array =>
  new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT))

export const openUnits = (length: number): Uint16Array =>
  new Uint16Array(new SharedArrayBuffer(length * Uint16Array.BYTES_PER_ELEMENT))

/** Numbered strings. A string of JavaScript would be copied to each thread. */
export type PackedStrings = { readonly units: Uint16Array; readonly ends: Int32Array }

export const packStrings = (strings: readonly string[]): PackedStrings => {
  const ends = openInts(strings.length)
  let length = 0
  for (const [n, string] of strings.entries()) {
    length += string.length
    ends[n] = length
  }
  const units = openUnits(length)
  let at = 0
  for (const string of strings)
    for (let n = 0; n < string.length; n++) units[at++] = string.charCodeAt(n)
  return { units, ends }
}

export const stringAt = ({ units, ends }: PackedStrings, n: number): string =>
  String.fromCharCode(...units.subarray(n === 0 ? 0 : ends[n - 1]!, ends[n]!))

export const lengthAt = ({ ends }: PackedStrings, n: number): number =>
  ends[n]! - (n === 0 ? 0 : ends[n - 1]!)

/** Whether the text has the string at this place. */
export const isStringAt = (
  { units, ends }: PackedStrings,
  n: number,
  text: string,
  at: number,
): boolean => {
  if (at < 0) return false
  const start = n === 0 ? 0 : ends[n - 1]!
  const length = ends[n]! - start
  for (let i = 0; i < length; i++) if (units[start + i] !== text.charCodeAt(at + i)) return false
  return true
}

/** A set of strings, in the order of their code units. */
export const packSet = (strings: Iterable<string>): PackedStrings =>
  packStrings([...new Set(strings)].sort())

/** @param set made by `packSet` */
export const hasString = (set: PackedStrings, string: string): boolean => {
  let low = 0
  let high = set.ends.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const order = compareAt(set, middle, string)
    if (order === 0) return true
    if (order < 0) low = middle + 1
    else high = middle - 1
  }
  return false
}

const compareAt = ({ units, ends }: PackedStrings, n: number, string: string): number => {
  const start = n === 0 ? 0 : ends[n - 1]!
  const length = ends[n]! - start
  for (let at = 0; at < length && at < string.length; at++) {
    const order = units[start + at]! - string.charCodeAt(at)
    if (order !== 0) return order
  }
  return length - string.length
}

/** A list of numbers for each number from 0: list n lies from `ends[n - 1]` up to `ends[n]`. */
export type PackedLists = { readonly items: Int32Array; readonly ends: Int32Array }

export const packLists = (lists: readonly (readonly number[])[]): PackedLists => {
  const ends = openInts(lists.length)
  let length = 0
  for (const [n, list] of lists.entries()) {
    length += list.length
    ends[n] = length
  }
  return { items: shareInts(lists.flat()), ends }
}

export const listAt = ({ items, ends }: PackedLists, n: number): Int32Array =>
  items.subarray(n === 0 ? 0 : ends[n - 1]!, ends[n]!)

/** The number of items of the longest list. */
export const longestOf = ({ ends }: PackedLists): number =>
  ends.reduce((most, end, n) => Math.max(most, end - (n === 0 ? 0 : ends[n - 1]!)), 0)

/** The memory of everything shared within a value. */
export const bytesOf = (value: unknown): number => {
  if (ArrayBuffer.isView(value)) return value.byteLength
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum: number, part) => sum + bytesOf(part), 0)
}
