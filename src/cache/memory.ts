import { LRUCache } from 'lru-cache'
import type { Page } from '../domain/page-store.ts'

/** What a page costs besides its text: map and list slots, the objects themselves. */
const OVERHEAD_BYTES = 512
const SWEEP_MS = 10_000

/** Something that holds a page. */
type Holder = { readonly page: Page }

/**
 * Remembers pages, at most `maxBytes` of them: the least used go first. A page that is larger than
 * all of that is not kept.
 * @param lifetimeMs after which a page is gone, whether anybody asks for it or not
 */
export const createMemory = <T extends Holder>(options: {
  maxBytes: number
  lifetimeMs: number
}): LRUCache<string, T> => {
  const memory = new LRUCache<string, T>({
    maxSize: Math.max(options.maxBytes, 1),
    sizeCalculation: ({ page: { etag, bytes } }, key) =>
      bytes.length + 2 * (etag.length + key.length) + OVERHEAD_BYTES,
    ttl: options.lifetimeMs,
  })
  // One sweep for all: a timer for each page costs more than the page's look-up.
  setInterval(() => memory.purgeStale(), Math.min(SWEEP_MS, options.lifetimeMs)).unref()
  return memory
}
