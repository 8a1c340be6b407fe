import {
  DIGIT,
  type Folded,
  foldCodePoint,
  GAP,
  LETTER,
  type Letter,
  SIGN,
  UNSPACED,
} from './letters.ts'

/** Letters of a text, each with the place that it comes from. Arrays are longer than what is in them. */
export type Letters = {
  length: number
  units: Uint16Array
  kinds: Uint8Array
  /** What a letter looks like, 0: like itself. */
  looks: Uint16Array
  /** UTF-16 code units of the text. */
  starts: Int32Array
  ends: Int32Array
}

const PLANES = 0x20000
/** Of planes 0 and 1, as they are asked for: 0 is not known yet, negative is a place in `SEVERAL`. */
const SINGLE = new Int32Array(PLANES)
const LOOKS = new Uint16Array(PLANES)
const SEVERAL: (readonly Letter[])[] = []
const NOTHING = 1 << 20
const MARK = 2 << 20
const KNOWN = 4 << 20

const HAN_PLANES = [0x20000, 0x2f800, 0x30000, 0x32400] as const

export const createLetters = (capacity: number): Letters => ({
  length: 0,
  units: new Uint16Array(capacity),
  kinds: new Uint8Array(capacity),
  looks: new Uint16Array(capacity),
  starts: new Int32Array(capacity),
  ends: new Int32Array(capacity),
})

/**
 * A text letter by letter, without case, accents, width, style, and what cannot be seen. Every code
 * point is looked at once.
 */
export const fold = (text: string): Letters => {
  const letters = createLetters(text.length + 32)
  for (let at = 0; at < text.length; ) {
    const unit = text.charCodeAt(at)
    const codePoint = unit < 0xd800 || unit > 0xdfff ? unit : text.codePointAt(at)!
    const end = codePoint > 0xffff ? at + 2 : at + 1
    add(letters, codePoint, at, end)
    at = end
  }
  return letters
}

const add = (letters: Letters, codePoint: number, start: number, end: number): void => {
  if (codePoint >= PLANES) {
    addRare(letters, codePoint, start, end)
    return
  }
  const known = SINGLE[codePoint] || learn(codePoint)
  if (known >= KNOWN) {
    if (isJoining(codePoint) && join(letters, codePoint, end)) return
    push(letters, known & 0xffff, (known >> 16) & 0xf, LOOKS[codePoint]!, start, end)
  } else if (known === MARK) extend(letters, end)
  else if (known < 0) pushAll(letters, SEVERAL[-1 - known]!, start, end)
}

const learn = (codePoint: number): number => {
  const folded = foldCodePoint(codePoint)
  const known = encode(folded, codePoint)
  SINGLE[codePoint] = known
  return known
}

const encode = (folded: Folded, codePoint: number): number => {
  if (folded === 'nothing') return NOTHING
  if (folded === 'mark') return MARK
  if (folded.length !== 1) return -SEVERAL.push(folded)
  const { unit, kind, look } = folded[0]!
  LOOKS[codePoint] = look
  return KNOWN | (kind << 16) | unit
}

/** Beyond plane 1 there are Chinese characters, and what cannot be seen. */
const addRare = (letters: Letters, codePoint: number, start: number, end: number): void => {
  const [from, compatible, more, to] = HAN_PLANES
  const isHan =
    codePoint >= from && codePoint < to && !(codePoint >= compatible && codePoint < more)
  if (isHan) {
    push(letters, 0xd800 + ((codePoint - 0x10000) >> 10), UNSPACED, 0, start, end)
    push(letters, 0xdc00 + (codePoint & 0x3ff), UNSPACED, 0, start, end)
    return
  }
  const folded = rareOf(codePoint)
  if (folded === 'mark') extend(letters, end)
  else if (folded !== 'nothing') pushAll(letters, folded, start, end)
}

const RARE = new Map<number, Folded>()
const isCompatible = (codePoint: number): boolean => codePoint >= 0x2f800 && codePoint < 0x2fa20
const GAP_ALONE: Folded = [{ unit: 0x20, kind: GAP, look: 0 }]

/** 542 characters that stand for others; then tags and variants, and what nobody may use. */
const rareOf = (codePoint: number): Folded => {
  if (codePoint >= 0xe0000 && codePoint < 0xe1000) return 'nothing'
  if (!isCompatible(codePoint)) return GAP_ALONE
  const known = RARE.get(codePoint) ?? foldCodePoint(codePoint)
  RARE.set(codePoint, known)
  return known
}

/** Parts of Korean syllables, and the voicing of kana. */
const isJoining = (c: number): boolean => c > 0x1160 && (c < 0x1200 || c === 0x3099 || c === 0x309a)

const join = (letters: Letters, codePoint: number, end: number): boolean => {
  const last = letters.length - 1
  if (last < 0) return false
  const both = String.fromCharCode(letters.units[last]!, codePoint).normalize('NFC')
  if (both.length > 1) return false
  letters.units[last] = both.charCodeAt(0)
  letters.ends[last] = end
  return true
}

const extend = (letters: Letters, end: number): void => {
  const last = letters.length - 1
  if (last >= 0 && letters.kinds[last] !== GAP) letters.ends[last] = end
}

const pushAll = (letters: Letters, all: readonly Letter[], start: number, end: number): void => {
  for (const { unit, kind, look } of all) push(letters, unit, kind, look, start, end)
}

/** One letter more, on arrays that grow. */
export const push = (
  letters: Letters,
  unit: number,
  kind: number,
  look: number,
  start: number,
  end: number,
): void => {
  const at = letters.length
  if (at === letters.units.length) grow(letters)
  letters.units[at] = unit
  letters.kinds[at] = kind
  letters.looks[at] = look
  letters.starts[at] = start
  letters.ends[at] = end
  letters.length = at + 1
}

const grow = (letters: Letters): void => {
  const larger = createLetters(letters.units.length * 2 + 32)
  larger.units.set(letters.units)
  larger.kinds.set(letters.kinds)
  larger.looks.set(letters.looks)
  larger.starts.set(letters.starts)
  larger.ends.set(letters.ends)
  Object.assign(letters, { ...larger, length: letters.length })
}

export const isWordly = (kind: number): boolean =>
  kind === LETTER || kind === DIGIT || kind === UNSPACED || kind === SIGN
