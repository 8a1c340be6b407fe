import { type Folded, foldCodePoint, GAP, UNSPACED, unitOf } from './letters.ts'

/** The letters of a text, each with the place that it comes from. Arrays are longer than what is in them. */
export type Letters = {
  length: number
  /** What there is of any kind. */
  kinds: number
  /** As `letters.ts` has them. */
  letters: Int32Array
  /** UTF-16 code units of the text. */
  starts: Int32Array
  ends: Int32Array
}

const PLANES = 0x20000
/** Of planes 0 and 1, as they are asked for: 0 is not known yet, negative is a place in `SEVERAL`. */
const KNOWN = new Int32Array(PLANES)
const SEVERAL: (readonly number[])[] = []
const NOTHING = 1 << 29
const MARK = 1 << 30
/** What one code point becomes at most: U+FDFA is a whole sentence. */
const MOST = 32

/** Memory that is asked for again and again costs more than what is done in it. */
const KEPT = 1 << 15
let kept: Letters | undefined

/**
 * A text letter by letter, without case, accents, width, style, and what cannot be seen. Each code point
 * is looked at once. What comes back lasts until the next text is folded.
 */
export const fold = (text: string): Letters => {
  const folded = openLetters(text.length + MOST)
  for (let at = 0; at < text.length; ) {
    at = addUsual(folded, text, at)
    if (at === text.length) break
    const codePoint = text.codePointAt(at)!
    const end = codePoint > 0xffff ? at + 2 : at + 1
    const known = codePoint < PLANES ? KNOWN[codePoint] || learn(codePoint) : 0
    addUnusual(folded, { codePoint, known, start: at, end })
    at = end
  }
  // What a text before has left behind is no part of this one.
  folded.letters[folded.length] = 0
  return folded
}

/** Adds letters as long as each is one code unit that becomes one, and known. Returns where that ends. */
const addUsual = (folded: Letters, text: string, from: number): number => {
  const { letters, starts, ends } = folded
  const until = Math.min(text.length, from + letters.length - folded.length)
  let [n, at, kinds] = [folded.length, from, 0]
  for (; at < until; at++) {
    const unit = text.charCodeAt(at)
    const known = KNOWN[unit]!
    if (known <= 0 || known >= NOTHING || isJoining(unit)) break
    kinds |= known
    letters[n] = known
    starts[n] = at
    ends[n++] = at + 1
  }
  folded.length = n
  folded.kinds |= kinds
  return at
}

const openLetters = (capacity: number): Letters => {
  if (capacity > KEPT) return createLetters(capacity)
  kept ??= createLetters(KEPT)
  kept.length = 0
  kept.kinds = 0
  return kept
}

const createLetters = (capacity: number): Letters => ({
  length: 0,
  kinds: 0,
  letters: new Int32Array(capacity),
  starts: new Int32Array(capacity),
  ends: new Int32Array(capacity),
})

const learn = (codePoint: number): number => {
  const known = encode(foldCodePoint(codePoint))
  // Half a pair stays unknown, so that pairs are seen.
  if (codePoint < 0xd800 || codePoint > 0xdfff) KNOWN[codePoint] = known
  return known
}

const encode = (folded: Folded): number => {
  if (folded === 'nothing') return NOTHING
  if (folded === 'mark') return MARK
  return folded.length === 1 ? folded[0]! : -SEVERAL.push(folded)
}

type One = {
  readonly codePoint: number
  readonly known: number
  readonly start: number
  readonly end: number
}

const addUnusual = (folded: Letters, { codePoint, known, start, end }: One): void => {
  if (isJoining(codePoint) && join(folded, codePoint, end)) return
  if (known === NOTHING) return
  if (known === MARK) extend(folded, end)
  else if (known > 0) addAll(folded, [known], start, end)
  else if (known < 0) addAll(folded, SEVERAL[-1 - known]!, start, end)
  else addRare(folded, codePoint, start, end)
}

const HAN: readonly (readonly [from: number, end: number])[] = [
  [0x20000, 0x2f800],
  [0x30000, 0x32400],
]
const INVISIBLE = [0xe0000, 0xe1000] as const
const COMPATIBLE = [0x2f800, 0x2fa20] as const

/** Beyond plane 1 there are Chinese characters, and what cannot be seen. */
const addRare = (folded: Letters, codePoint: number, start: number, end: number): void => {
  const isIn = ([from, until]: readonly [number, number]) => codePoint >= from && codePoint < until
  if (isIn(INVISIBLE)) return
  if (isIn(COMPATIBLE)) addAll(folded, compatibleOf(codePoint), start, end)
  else if (!HAN.some(isIn)) addAll(folded, [GAP | 0x20], start, end)
  else {
    const [high, low] = [0xd800 + ((codePoint - 0x10000) >> 10), 0xdc00 + (codePoint & 0x3ff)]
    addAll(folded, [high | UNSPACED, low | UNSPACED], start, end)
  }
}

const COMPATIBLES = new Map<number, readonly number[]>()

/** 542 characters that stand for others. */
const compatibleOf = (codePoint: number): readonly number[] => {
  const known = COMPATIBLES.get(codePoint)
  if (known) return known
  const folded = foldCodePoint(codePoint)
  const letters = typeof folded === 'string' ? [] : folded
  COMPATIBLES.set(codePoint, letters)
  return letters
}

/** Parts of Korean syllables, and the voicing of kana. */
const isJoining = (c: number): boolean => c > 0x1160 && (c < 0x1200 || c === 0x3099 || c === 0x309a)

const join = (folded: Letters, codePoint: number, end: number): boolean => {
  const last = folded.length - 1
  if (last < 0) return false
  const letter = folded.letters[last]!
  const both = String.fromCharCode(unitOf(letter), codePoint).normalize('NFC')
  if (both.length > 1) return false
  folded.letters[last] = (letter & ~0xffff) | both.charCodeAt(0)
  folded.ends[last] = end
  return true
}

const extend = (folded: Letters, end: number): void => {
  const last = folded.length - 1
  if (last >= 0 && !(folded.letters[last]! & GAP)) folded.ends[last] = end
}

const addAll = (folded: Letters, all: readonly number[], start: number, end: number): void => {
  if (folded.length + MOST > folded.letters.length) grow(folded)
  for (const letter of all) {
    const n = folded.length++
    folded.kinds |= letter
    folded.letters[n] = letter
    folded.starts[n] = start
    folded.ends[n] = end
  }
}

const grow = (folded: Letters): void => {
  const larger = createLetters(folded.letters.length * 2 + MOST)
  larger.letters.set(folded.letters)
  larger.starts.set(folded.starts)
  larger.ends.set(folded.ends)
  Object.assign(folded, { ...larger, length: folded.length, kinds: folded.kinds })
}
