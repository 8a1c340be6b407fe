import { LRUCache } from 'lru-cache'
import type { Page, PageName, PageStore } from '../domain/page-store.ts'

export type { Page, PageName, PageStore } from '../domain/page-store.ts'

/** A page and the thread version that its rows were read at. */
export type BuiltPage = { version: number; page: Page }

export type PageCache = {
  /**
   * The page under this name: remembered, or built once however many ask for it at the same time.
   * A build is remembered under the version that it read; one that read an older version than asked
   * (a lagging replica) is answered, but not remembered. A failed build rejects everybody who
   * waited for it, and the next reader builds again.
   */
  page: (name: PageName, build: () => Promise<BuiltPage>) => Promise<Page>
  /** `misses` counts builds, failed ones included; `hits` every other question; `bytes` what is held. */
  stats: () => { hits: number; misses: number; bytes: number }
}

export type MemoryOptions = { maxBytes: number; lifetimeMs?: number }

/** Forgetting: no copy of an erased comment outlives this. */
const LIFETIME_MS = 600_000

/** What an entry costs besides its text: map and list slots, timer, the objects themselves. */
const ENTRY_OVERHEAD_BYTES = 512

/** Pages remembered in this process, at most `maxBytes` of them. */
export const createMemoryPages = (options: MemoryOptions): PageCache =>
  createTieredPages({ ...options, store: noStore })

/** Pages remembered in this process in front of a store that all nodes share. */
export const createTieredPages = (options: MemoryOptions & { store: PageStore }): PageCache => {
  const { store } = options
  const memory = createMemory(options)
  const flights = new Map<string, Promise<Page>>()
  let asked = 0
  let misses = 0

  const load = async (name: PageName, build: () => Promise<BuiltPage>): Promise<Page> => {
    const found = await store.find(name)
    if (found !== undefined) {
      memory.set(keyOf(name), found)
      return found
    }
    misses += 1
    const { version, page } = await build()
    if (version >= name.version) remember({ ...name, version }, page)
    return page
  }

  const remember = (name: PageName, page: Page): void => {
    memory.set(keyOf(name), page)
    void store.insert(name, page)
  }

  return {
    page: async (name, build) => {
      asked += 1
      const key = keyOf(name)
      const remembered = memory.get(key)
      if (remembered !== undefined) return remembered
      const flight = flights.get(key) ?? load(name, build).finally(() => flights.delete(key))
      flights.set(key, flight)
      return flight
    },
    stats: () => ({ hits: asked - misses, misses, bytes: memory.calculatedSize }),
  }
}

/** Timers purge what has expired: waiting for the next look-up would keep erased text for ever. */
const createMemory = ({ maxBytes, lifetimeMs = LIFETIME_MS }: MemoryOptions) =>
  new LRUCache<string, Page>({
    maxSize: Math.max(maxBytes, 1),
    sizeCalculation: ({ etag, bytes }, key) =>
      bytes.length + 2 * (etag.length + key.length) + ENTRY_OVERHEAD_BYTES,
    ttl: lifetimeMs,
    ttlAutopurge: true,
  })

const noStore: PageStore = { find: async () => undefined, insert: async () => {} }

const keyOf = ({ site, thread, version, variant }: PageName): string =>
  `${site}:${thread}:${version}:${variant}`
