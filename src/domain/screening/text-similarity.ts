import { foldText } from './folding/fold-text.ts'
import { GAP, lookOf, SIGN, unitOf } from './folding/letter-codes.ts'

/** Letters that are looked at together. */
const SHINGLE = 5
/** 24 shingles tell likeness to within a tenth. */
const SKETCH_SIZE = 24
/** From here on two texts are nearly the same. */
const ALIKE = 0.6

/** A number below 2^53 for the text without case, accents, spaces, signs and look-alikes. */
export const fingerprintOf = (body: string): number => {
  const text = lettersOf(body)
  return text.length > 0 ? hash(text, 0, text.length) : hash(codesOf(body), 0, body.length)
}

/**
 * The least numbers of all that stand for five letters in a row, in order, at most 24: texts that have
 * much in common have many of them in common.
 */
export const sketchOf = (body: string): number[] => {
  const text = lettersOf(body)
  if (text.length <= SHINGLE) return [fingerprintOf(body)]
  const least: number[] = []
  for (let at = 0; at + SHINGLE <= text.length; at++) keepLeast(least, hash(text, at, at + SHINGLE))
  return least
}

/** How much two texts have in common by their sketches: 0 is nothing, 1 is all. */
export const likeness = (a: readonly number[], b: readonly number[]): number => {
  const size = Math.min(SKETCH_SIZE, new Set([...a, ...b]).size)
  let [i, j, seen, both] = [0, 0, 0, 0]
  for (; seen < size; seen++) {
    const [x, y] = [a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY]
    if (x === y) both++
    if (x <= y) i++
    if (y <= x) j++
  }
  return size === 0 ? 0 : both / size
}

/** Whether two texts count as nearly the same. */
export const isAlike = (a: readonly number[], b: readonly number[]): boolean =>
  likeness(a, b) >= ALIKE

const lettersOf = (body: string): Uint16Array => {
  const { letters, length } = foldText(body)
  const kept = new Uint16Array(length)
  let count = 0
  for (let at = 0; at < length; at++) {
    const letter = letters[at]!
    if (!(letter & (GAP | SIGN))) kept[count++] = lookOf(letter) || unitOf(letter)
  }
  return kept.subarray(0, count)
}

const codesOf = (text: string): Uint16Array =>
  Uint16Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))

/** Two multiplicative hashes of 32 bits, of which 53 are kept. */
const hash = (units: Uint16Array, from: number, to: number): number => {
  let high = 0x9e3779b9
  let low = 0x85ebca6b
  for (let at = from; at < to; at++) {
    const unit = units[at]!
    high = Math.imul(high ^ unit, 0x9e3779b1)
    low = Math.imul(low ^ unit, 0x5f356495)
    high ^= high >>> 15
    low ^= low >>> 13
  }
  return (spread(high ^ low) & 0x1fffff) * 2 ** 32 + (spread(low + Math.imul(high, 31)) >>> 0)
}

const spread = (h: number): number => {
  const once = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return twice ^ (twice >>> 16)
}

const keepLeast = (least: number[], value: number): void => {
  if (least.length === SKETCH_SIZE && value >= least[SKETCH_SIZE - 1]!) return
  let at = least.length
  while (at > 0 && least[at - 1]! > value) at--
  if (least[at - 1] === value) return
  least.splice(at, 0, value)
  if (least.length > SKETCH_SIZE) least.pop()
}
