import type { Encoding, Page, PageName, PageStore } from '../domain/page-store.ts'
import { createEncoder, type Encoder } from './encoder.ts'
import { createMemory } from './memory.ts'

/** A page and the thread version that its rows were read at. */
export type BuiltPage = { readonly version: number; readonly page: Page }

export type PageCache = {
  /**
   * The page under this name, in this encoding: remembered, or made once however many ask for it
   * at the same time. A build is remembered under the version that it read; one that read an older
   * version than asked (a lagging replica) is answered, but not remembered. A failed build rejects
   * everybody who waited for it, and the next reader builds again.
   */
  page: (name: PageName, encoding: Encoding, build: () => Promise<BuiltPage>) => Promise<Page>
  /** A page that is for one reader, and kept nowhere. */
  encode: Encoder
  /** `misses` counts builds, failed ones included; `hits` every other question; `bytes` what is held. */
  stats: () => { hits: number; misses: number; bytes: number }
}

/**
 * Forgetting: no copy of an erased comment outlives 600 s. A page that was found in Redis at the
 * end of its life there lives as long again here.
 */
const LIFETIME_MS = 290_000

type MemoryOptions = { maxBytes: number; lifetimeMs?: number }

/** Pages remembered in this process, at most `maxBytes` of them. */
export const createMemoryPages = (options: MemoryOptions): PageCache =>
  createTieredPages({ ...options, store: noStore })

/** Pages remembered in this process in front of a store that all nodes share. */
export const createTieredPages = (options: MemoryOptions & { store: PageStore }): PageCache => {
  const { maxBytes, lifetimeMs = LIFETIME_MS, store } = options
  const memory = createMemory<BuiltPage>({ maxBytes, lifetimeMs })
  const flights = new Map<string, Promise<BuiltPage>>()
  const encode = createEncoder()
  let asked = 0
  let misses = 0

  type Build = () => Promise<BuiltPage>

  const find = (name: PageName, encoding: Encoding, build: Build): Promise<BuiltPage> => {
    const key = keyOf(name, encoding)
    const flight =
      flights.get(key) ?? load(name, encoding, build).finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }

  const load = async (name: PageName, encoding: Encoding, build: Build): Promise<BuiltPage> => {
    const found = await store.find(name, encoding)
    if (found !== undefined) return keep(name, encoding, { version: name.version, page: found })
    const made = encoding === 'identity' ? await make(build) : await compress(name, encoding, build)
    if (made.version < name.version) return made
    void store.insert({ ...name, version: made.version }, made.page)
    return keep(name, encoding, made)
  }

  const make = (build: Build): Promise<BuiltPage> => {
    misses += 1
    return build()
  }

  const compress = async (name: PageName, encoding: Encoding, build: Build): Promise<BuiltPage> => {
    const plain = memory.get(keyOf(name, 'identity')) ?? (await find(name, 'identity', build))
    return { ...plain, page: await encode(plain.page, encoding) }
  }

  const keep = (name: PageName, encoding: Encoding, made: BuiltPage): BuiltPage => {
    memory.set(keyOf({ ...name, version: made.version }, encoding), made)
    return made
  }

  return {
    encode,
    page: async (name, encoding, build) => {
      asked += 1
      const remembered = memory.get(keyOf(name, encoding))
      return remembered ? remembered.page : (await find(name, encoding, build)).page
    },
    stats: () => ({ hits: asked - misses, misses, bytes: memory.calculatedSize }),
  }
}

const noStore: PageStore = { find: async () => undefined, insert: async () => {} }

const keyOf = ({ site, thread, version, variant }: PageName, encoding: Encoding): string =>
  `${site}:${thread}:${version}:${encoding}:${variant}`
