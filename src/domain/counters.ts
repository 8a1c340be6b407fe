/**
 * Counts hits in fixed windows; the first hit of a key opens its window. `hit` adds one hit, or removes one, and
 * returns the number of hits in the window and how long the window stays open. `windowMs` is a whole number above
 * 0, and always the same for a key. Never rejects.
 */
export type Counters = {
  hit: (...args: HitArguments) => Promise<Hits>
}

/** Counters in the memory of one node; `hitNow` returns immediately. */
export type LocalCounters = Counters & { hitNow: (...args: HitArguments) => Hits }

type HitArguments = [key: string, windowMs: number, by?: 1 | -1]
type Hits = { readonly current: number; readonly ttlMs: number }
