/**
 * A text as words with one space before and after each. Characters of scripts without spaces are words.
 * Only the first `length` elements of the arrays count.
 */
export type NormalizedText = {
  length: number
  units: Uint16Array
  /** The place of each letter in UTF-16 code units of the text. */
  starts: Int32Array
  ends: Int32Array
}

export const SPACE = 0x20
/** A non-character that occurs in no word. */
const CUT = 0xffff

/** Arrays up to this length are reused for the next text. */
const KEPT = 1 << 15
const kept: { plain?: NormalizedText; disguised?: NormalizedText } = {}

/** Opens an empty text. It is overwritten when the next one of its kind is opened. */
export const openNormalizedText = (
  kind: 'plain' | 'disguised',
  capacity: number,
): NormalizedText => {
  const normalized = capacity + ROOM > KEPT ? createNormalizedText(capacity + ROOM) : reuse(kind)
  normalized.units[0] = SPACE
  normalized.length = 1
  return normalized
}

/** Spare elements for the spaces around a text. */
const ROOM = 64

const reuse = (kind: 'plain' | 'disguised'): NormalizedText => {
  const normalized = kept[kind] ?? createNormalizedText(KEPT)
  kept[kind] = normalized
  return normalized
}

const createNormalizedText = (size: number): NormalizedText => ({
  length: 0,
  units: new Uint16Array(size),
  starts: new Int32Array(size),
  ends: new Int32Array(size),
})

export const addLetter = (
  normalized: NormalizedText,
  unit: number,
  start: number,
  end: number,
): void => {
  const at = normalized.length
  if (at === normalized.units.length) grow(normalized)
  normalized.units[at] = unit
  normalized.starts[at] = start
  normalized.ends[at] = end
  normalized.length = at + 1
}

/** Ends the current word, if there is one. */
export const endWord = (normalized: NormalizedText): void => {
  if (normalized.units[normalized.length - 1] !== SPACE) addLetter(normalized, SPACE, 0, 0)
}

/** Separates two parts, so that no entry matches across them. */
export const endPart = (normalized: NormalizedText): void => {
  addLetter(normalized, CUT, 0, 0)
  addLetter(normalized, SPACE, 0, 0)
}

const grow = (normalized: NormalizedText): void => {
  const larger = createNormalizedText(normalized.units.length * 2)
  larger.units.set(normalized.units)
  larger.starts.set(normalized.starts)
  larger.ends.set(normalized.ends)
  Object.assign(normalized, { ...larger, length: normalized.length })
}
