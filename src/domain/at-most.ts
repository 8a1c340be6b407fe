/** Options of an LRU cache with this many entries. Its own `max` would allocate memory for all of them at the start. */
export const atMost = (entries: number) => ({ maxSize: entries, sizeCalculation: () => 1 })
