/**
 * A text as it is read: words with one space before and behind each. Characters of scripts without spaces
 * are words. Arrays are longer than what is in them.
 */
export type Reading = {
  length: number
  units: Uint16Array
  /** Of letters: UTF-16 code units of the text. */
  starts: Int32Array
  ends: Int32Array
}

export const SPACE = 0x20
/** No character, and in no word. */
const CUT = 0xffff

export const createReading = (capacity: number): Reading => {
  const size = capacity + 64
  const reading = {
    length: 1,
    units: new Uint16Array(size),
    starts: new Int32Array(size),
    ends: new Int32Array(size),
  }
  reading.units[0] = SPACE
  return reading
}

export const write = (reading: Reading, unit: number, start: number, end: number): void => {
  const at = reading.length
  if (at === reading.units.length) growBy(reading, at)
  reading.units[at] = unit
  reading.starts[at] = start
  reading.ends[at] = end
  reading.length = at + 1
}

/** Ends the word, if one has begun. */
export const separate = (reading: Reading): void => {
  if (reading.units[reading.length - 1] !== SPACE) write(reading, SPACE, 0, 0)
}

/** What comes does not follow on what was: nothing is found across. */
export const cut = (reading: Reading): void => {
  write(reading, CUT, 0, 0)
  write(reading, SPACE, 0, 0)
}

/** Makes room for so many more and as many again as there are, so that it seldom has to. */
export const growBy = (reading: Reading, more: number): void => {
  const larger = createReading(reading.units.length * 2 + more)
  larger.units.set(reading.units)
  larger.starts.set(reading.starts)
  larger.ends.set(reading.ends)
  Object.assign(reading, { ...larger, length: reading.length })
}
