/**
 * A text as it is read: words with one space before and behind each. Characters of scripts without spaces
 * are words. Arrays are longer than what is in them.
 */
export type NormalizedText = {
  length: number
  units: Uint16Array
  /** Of letters: UTF-16 code units of the text. */
  starts: Int32Array
  ends: Int32Array
}

export const SPACE = 0x20
/** No character, and in no word. */
const CUT = 0xffff

/** Room that readings are made in, one after the other. */
const KEPT = 1 << 15
const kept: { plain?: NormalizedText; disguised?: NormalizedText } = {}

/** It lasts until the next one of its kind is opened. */
export const openNormalizedText = (
  kind: 'plain' | 'disguised',
  capacity: number,
): NormalizedText => {
  const reading = capacity + ROOM > KEPT ? createNormalizedText(capacity + ROOM) : keep(kind)
  reading.units[0] = SPACE
  reading.length = 1
  return reading
}

/** For the spaces around a text. */
const ROOM = 64

const keep = (kind: 'plain' | 'disguised'): NormalizedText => {
  const reading = kept[kind] ?? createNormalizedText(KEPT)
  kept[kind] = reading
  return reading
}

const createNormalizedText = (size: number): NormalizedText => ({
  length: 0,
  units: new Uint16Array(size),
  starts: new Int32Array(size),
  ends: new Int32Array(size),
})

export const write = (reading: NormalizedText, unit: number, start: number, end: number): void => {
  const at = reading.length
  if (at === reading.units.length) grow(reading)
  reading.units[at] = unit
  reading.starts[at] = start
  reading.ends[at] = end
  reading.length = at + 1
}

/** Ends the word, if one has begun. */
export const separate = (reading: NormalizedText): void => {
  if (reading.units[reading.length - 1] !== SPACE) write(reading, SPACE, 0, 0)
}

/** What comes does not follow on what was: nothing is found across. */
export const cut = (reading: NormalizedText): void => {
  write(reading, CUT, 0, 0)
  write(reading, SPACE, 0, 0)
}

const grow = (reading: NormalizedText): void => {
  const larger = createNormalizedText(reading.units.length * 2)
  larger.units.set(reading.units)
  larger.starts.set(reading.starts)
  larger.ends.set(reading.ends)
  Object.assign(reading, { ...larger, length: reading.length })
}
