import { type FoldedCodePoint, foldCodePoint, GAP, UNSPACED, unitOf } from './letter-codes.ts'

/** The letter codes of a text, each with its place in the text. Only the first `length` elements count. */
export type FoldedText = {
  length: number
  /** The bits of all letters together. */
  kinds: number
  /** Letter codes: see `letter-codes.ts`. */
  letters: Int32Array
  /** UTF-16 code units of the text. */
  starts: Int32Array
  ends: Int32Array
}

const PLANES = 0x20000
/** Codes of planes 0 and 1, filled on demand. 0: not computed yet. Negative: an index in `SEVERAL`. */
const KNOWN = new Int32Array(PLANES)
const SEVERAL: (readonly number[])[] = []
const NOTHING = 1 << 29
const MARK = 1 << 30
/** The most letters that one code point becomes: U+FDFA is a whole sentence. */
const MOST = 32

/** Arrays up to this length are reused: allocating them costs more than folding. */
const KEPT = 1 << 15
let kept: FoldedText | undefined

/**
 * Folds a text: removes case, accents, width, style and invisible characters. Each code point is read
 * once. The result is overwritten when the next text is folded.
 */
export const foldText = (text: string): FoldedText => {
  const folded = openFoldedText(text.length + MOST)
  for (let at = 0; at < text.length; ) {
    at = addUsual(folded, text, at)
    if (at === text.length) break
    const codePoint = text.codePointAt(at)!
    const end = codePoint > 0xffff ? at + 2 : at + 1
    const known = codePoint < PLANES ? KNOWN[codePoint] || learn(codePoint) : 0
    addUnusual(folded, { codePoint, known, start: at, end })
    at = end
  }
  // The array may hold letters of an earlier text behind this one.
  folded.letters[folded.length] = 0
  return folded
}

/** Adds letters while each is one known code unit that folds to one. @returns the end of that run */
const addUsual = (folded: FoldedText, text: string, from: number): number => {
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

const openFoldedText = (capacity: number): FoldedText => {
  if (capacity > KEPT) return createFoldedText(capacity)
  kept ??= createFoldedText(KEPT)
  kept.length = 0
  kept.kinds = 0
  return kept
}

const createFoldedText = (capacity: number): FoldedText => ({
  length: 0,
  kinds: 0,
  letters: new Int32Array(capacity),
  starts: new Int32Array(capacity),
  ends: new Int32Array(capacity),
})

const learn = (codePoint: number): number => {
  const known = encode(foldCodePoint(codePoint))
  // Halves of surrogate pairs stay unknown, so that `addUsual` stops at pairs.
  if (codePoint < 0xd800 || codePoint > 0xdfff) KNOWN[codePoint] = known
  return known
}

const encode = (folded: FoldedCodePoint): number => {
  if (folded === 'nothing') return NOTHING
  if (folded === 'mark') return MARK
  return folded.length === 1 ? folded[0]! : -SEVERAL.push(folded)
}

type CodePointInText = {
  readonly codePoint: number
  readonly known: number
  readonly start: number
  readonly end: number
}

const addUnusual = (
  folded: FoldedText,
  { codePoint, known, start, end }: CodePointInText,
): void => {
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

/** Beyond plane 1 there are Chinese characters and invisible code points. */
const addRare = (folded: FoldedText, codePoint: number, start: number, end: number): void => {
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

/** 542 characters are compatible forms of others. */
const compatibleOf = (codePoint: number): readonly number[] => {
  const known = COMPATIBLES.get(codePoint)
  if (known) return known
  const folded = foldCodePoint(codePoint)
  const letters = typeof folded === 'string' ? [] : folded
  COMPATIBLES.set(codePoint, letters)
  return letters
}

/** Parts of Korean syllables and the voicing of kana join the letter before them. */
const isJoining = (c: number): boolean => c > 0x1160 && (c < 0x1200 || c === 0x3099 || c === 0x309a)

const join = (folded: FoldedText, codePoint: number, end: number): boolean => {
  const last = folded.length - 1
  if (last < 0) return false
  const letter = folded.letters[last]!
  const both = String.fromCharCode(unitOf(letter), codePoint).normalize('NFC')
  if (both.length > 1) return false
  folded.letters[last] = (letter & ~0xffff) | both.charCodeAt(0)
  folded.ends[last] = end
  return true
}

const extend = (folded: FoldedText, end: number): void => {
  const last = folded.length - 1
  if (last >= 0 && !(folded.letters[last]! & GAP)) folded.ends[last] = end
}

const addAll = (folded: FoldedText, all: readonly number[], start: number, end: number): void => {
  if (folded.length + MOST > folded.letters.length) grow(folded)
  for (const letter of all) {
    const n = folded.length++
    folded.kinds |= letter
    folded.letters[n] = letter
    folded.starts[n] = start
    folded.ends[n] = end
  }
}

const grow = (folded: FoldedText): void => {
  const larger = createFoldedText(folded.letters.length * 2 + MOST)
  larger.letters.set(folded.letters)
  larger.starts.set(folded.starts)
  larger.ends.set(folded.ends)
  Object.assign(folded, { ...larger, length: folded.length, kinds: folded.kinds })
}
