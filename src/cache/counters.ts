import { LRUCache } from 'lru-cache'
import { atMost } from '../domain/at-most.ts'
import type { LocalCounters } from '../domain/counters.ts'

type Window = { current: number; endsAt: number }

/** About 10 MB. The key without a hit for the longest time is dropped first. */
const MAX_KEYS = 50_000

/** Counters of this process, in bounded memory. */
export const createLocalCounters = ({ maxKeys = MAX_KEYS } = {}): LocalCounters => {
  const windows = new LRUCache<string, Window>(atMost(maxKeys))
  const hitNow: LocalCounters['hitNow'] = (key, windowMs, by = 1) => {
    // Whole milliseconds: the difference of two fractions can exceed `windowMs` by rounding.
    const now = Math.floor(performance.now())
    const window = openWindow(windows.get(key), now) ?? { current: 0, endsAt: now + windowMs }
    window.current += by
    windows.set(key, window)
    return { current: window.current, ttlMs: window.endsAt - now }
  }
  return { hit: async (...args) => hitNow(...args), hitNow }
}

const openWindow = (window: Window | undefined, now: number): Window | undefined =>
  window !== undefined && now < window.endsAt ? window : undefined
