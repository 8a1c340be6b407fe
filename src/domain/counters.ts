/**
 * Counts hits in fixed windows. `hit` counts one under the key and answers how many there are in
 * the open window, this one included, and how long it stays open. The first hit opens a window.
 * `windowMs` is a whole number above 0; the same key always comes with the same window. Never rejects.
 */
export type Counters = {
  hit: (key: string, windowMs: number) => Promise<{ current: number; ttlMs: number }>
}
