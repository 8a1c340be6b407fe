const BITS = 7
const BASE = 2 ** BITS

/** Packs a set of ids: differences in order, in seven bits per byte, as base64url. An id takes 1 to 3 bytes. */
export const packIds = (ids: readonly number[]): string => {
  const bytes: number[] = []
  let last = 0
  for (const id of ids.toSorted((a, b) => a - b)) {
    let rest = id - last
    for (; rest >= BASE; rest = Math.floor(rest / BASE)) bytes.push(BASE + (rest % BASE))
    bytes.push(rest)
    last = id
  }
  return Buffer.from(bytes).toString('base64url')
}

/** @returns the ids in order */
export const unpackIds = (packed: string): number[] => {
  const ids: number[] = []
  let [last, difference, factor] = [0, 0, 1]
  for (const byte of Buffer.from(packed, 'base64url')) {
    difference += (byte % BASE) * factor
    factor *= BASE
    if (byte >= BASE) continue
    last += difference
    ids.push(last)
    difference = 0
    factor = 1
  }
  return ids
}
