import { LRUCache } from 'lru-cache'
import type { Page } from '../domain/page-store.ts'

/** Memory of a page besides its text: map and list slots, and the objects themselves. */
const OVERHEAD_BYTES = 512
const SWEEP_MS = 10_000

/** A cache entry that contains a page. */
type Entry = { readonly page: Page }

/**
 * Keeps at most `maxBytes` of pages and drops the least recently used first. A page larger than
 * `maxBytes` is not kept.
 * @param lifetimeMs age at which a page is dropped, also without a request for it
 */
export const createMemory = <T extends Entry>(options: {
  maxBytes: number
  lifetimeMs: number
}): LRUCache<string, T> => {
  const memory = new LRUCache<string, T>({
    maxSize: Math.max(options.maxBytes, 1),
    sizeCalculation: ({ page: { etag, bytes } }, key) =>
      bytes.length + 2 * (etag.length + key.length) + OVERHEAD_BYTES,
    ttl: options.lifetimeMs,
  })
  // One sweep for all pages: a timer per page costs more than looking the page up.
  setInterval(() => memory.purgeStale(), Math.min(SWEEP_MS, options.lifetimeMs)).unref()
  return memory
}
