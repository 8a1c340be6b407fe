import type { Encoding, Page, PageName, PageStore } from '../domain/page-store.ts'
import { createEncoder, type Encoder } from './encoder.ts'
import { createMemory } from './memory.ts'

/** A page and the thread version of its rows. */
export type BuiltPage = { readonly version: number; readonly page: Page }

export type PageCache = {
  /**
   * Returns the page from the cache, or builds it once for all concurrent calls. The built page is cached
   * under the version that the build read. If that is older than `name.version` (a lagging replica), the
   * page is returned but not cached. A failed build rejects all its callers; the next call builds again.
   */
  page: (name: PageName, encoding: Encoding, build: () => Promise<BuiltPage>) => Promise<Page>
  /** Compresses a page for one caller, without caching it. */
  encode: Encoder
  /** `misses` counts builds, failed ones included; `hits` all other calls; `bytes` is the memory used. */
  stats: () => { hits: number; misses: number; bytes: number }
}

/**
 * Erasure promises that no copy of an erased comment outlives 600 s. A page found in Redis at the end of
 * its life there lives as long again in this process.
 */
const LIFETIME_MS = 290_000

type MemoryOptions = { maxBytes: number; lifetimeMs?: number }

/** Caches pages in this process, at most `maxBytes` of them. */
export const createMemoryPages = (options: MemoryOptions): PageCache =>
  createTieredPages({ ...options, store: noStore })

/** Caches pages in this process, in front of a store that all nodes share. */
export const createTieredPages = (options: MemoryOptions & { store: PageStore }): PageCache => {
  const { maxBytes, lifetimeMs = LIFETIME_MS, store } = options
  const memory = createMemory<BuiltPage>({ maxBytes, lifetimeMs })
  const loads = new Map<string, Promise<BuiltPage>>()
  const encode = createEncoder()
  let calls = 0
  let misses = 0

  type Build = () => Promise<BuiltPage>

  const find = (name: PageName, encoding: Encoding, build: Build): Promise<BuiltPage> => {
    const key = keyOf(name, encoding)
    const loading = loads.get(key) ?? load(name, encoding, build).finally(() => loads.delete(key))
    loads.set(key, loading)
    return loading
  }

  const load = async (name: PageName, encoding: Encoding, build: Build): Promise<BuiltPage> => {
    const found = await store.find(name, encoding)
    if (found !== undefined) return keep(name, encoding, { version: name.version, page: found })
    const built =
      encoding === 'identity' ? await count(build) : await compress(name, encoding, build)
    if (built.version < name.version) return built
    void store.insert({ ...name, version: built.version }, built.page)
    return keep(name, encoding, built)
  }

  const count = (build: Build): Promise<BuiltPage> => {
    misses += 1
    return build()
  }

  const compress = async (name: PageName, encoding: Encoding, build: Build): Promise<BuiltPage> => {
    const plain = memory.get(keyOf(name, 'identity')) ?? (await find(name, 'identity', build))
    return { ...plain, page: await encode(plain.page, encoding) }
  }

  const keep = (name: PageName, encoding: Encoding, built: BuiltPage): BuiltPage => {
    memory.set(keyOf({ ...name, version: built.version }, encoding), built)
    return built
  }

  return {
    encode,
    page: async (name, encoding, build) => {
      calls += 1
      const cached = memory.get(keyOf(name, encoding))
      return cached ? cached.page : (await find(name, encoding, build)).page
    },
    stats: () => ({ hits: calls - misses, misses, bytes: memory.calculatedSize }),
  }
}

const noStore: PageStore = { find: async () => undefined, insert: async () => {} }

const keyOf = ({ site, thread, version, variant }: PageName, encoding: Encoding): string =>
  `${site}:${thread}:${version}:${encoding}:${variant}`
