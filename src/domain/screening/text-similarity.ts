import { foldText } from './folding/fold-text.ts'
import { GAP, lookOf, SIGN, unitOf } from './folding/letter-codes.ts'

/** A shingle is this many letters in a row. */
const SHINGLE_LETTERS = 5
/** 24 hashes estimate the similarity of two texts to within 0.1. */
const MAX_MIN_HASHES = 24
/** The lowest similarity of texts that count as nearly the same. */
const NEARLY_SAME = 0.6
/** Texts with more hashes than this that only one of them has are not nearly the same. */
const MAX_DIFFERENT = Math.floor(MAX_MIN_HASHES * (1 - NEARLY_SAME))
/** Texts that count as nearly the same share at least one of their lowest six MinHashes: else 12 of 24 differ. */
export const COMPARED_HASHES = 6

/** A hash below 2^53 of the text without case, accents, spaces, signs and look-alikes. */
export const fingerprintOf = (body: string): number => {
  const text = lettersOf(body)
  return text.length > 0 ? hash(text, 0, text.length) : hash(codesOf(body), 0, body.length)
}

/**
 * The MinHash of a text: the lowest 24 hashes of its shingles, in ascending order. Similar texts have many
 * of them in common. Source: A. Z. Broder, SEQUENCES (1997) 21–29.
 */
export const minHashesOf = (body: string): number[] => {
  const text = lettersOf(body)
  if (text.length <= SHINGLE_LETTERS) return [fingerprintOf(body)]
  const lowest: number[] = []
  for (let at = 0; at + SHINGLE_LETTERS <= text.length; at++)
    keepLowest(lowest, hash(text, at, at + SHINGLE_LETTERS))
  return lowest
}

/**
 * The estimated similarity of two texts by their MinHashes, from 0 to 1.
 * @param maxDifferent the comparison stops after more hashes that only one text has
 */
export const similarity = (
  a: readonly number[],
  b: readonly number[],
  maxDifferent = MAX_MIN_HASHES,
): number => {
  let [i, j, seen, both] = [0, 0, 0, 0]
  const hasMore = (): boolean => seen < MAX_MIN_HASHES && (i < a.length || j < b.length)
  for (; hasMore() && seen - both <= maxDifferent; seen++) {
    const x = i < a.length ? a[i]! : Number.POSITIVE_INFINITY
    const y = j < b.length ? b[j]! : Number.POSITIVE_INFINITY
    if (x === y) both++
    if (x <= y) i++
    if (y <= x) j++
  }
  return seen === 0 ? 0 : both / seen
}

/**
 * Whether two texts count as nearly the same, by their MinHashes. Most pairs share none of the lowest six, which is
 * found with a quarter of the comparisons.
 */
export const isNearlySame = (a: readonly number[], b: readonly number[]): boolean =>
  shareLowest(a, b) && similarity(a, b, MAX_DIFFERENT) >= NEARLY_SAME

const shareLowest = (a: readonly number[], b: readonly number[]): boolean => {
  const endOfA = Math.min(a.length, COMPARED_HASHES)
  const endOfB = Math.min(b.length, COMPARED_HASHES)
  for (let i = 0, j = 0; i < endOfA && j < endOfB; ) {
    if (a[i] === b[j]) return true
    if (a[i]! < b[j]!) i++
    else j++
  }
  return false
}

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

/** Two multiplicative hashes of 32 bits, of which 53 bits are kept. */
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

const keepLowest = (lowest: number[], value: number): void => {
  if (lowest.length === MAX_MIN_HASHES && value >= lowest[MAX_MIN_HASHES - 1]!) return
  let at = lowest.length
  while (at > 0 && lowest[at - 1]! > value) at--
  if (lowest[at - 1] === value) return
  lowest.splice(at, 0, value)
  if (lowest.length > MAX_MIN_HASHES) lowest.pop()
}
