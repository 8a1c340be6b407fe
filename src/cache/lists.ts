import { type CacheTokens, siteToken } from '../domain/cache-tokens.ts'
import type { Encoding, Page } from '../domain/page-store.ts'
import { createEncoder } from './encoder.ts'
import { createMemory } from './memory.ts'

/** A list of a whole site. The variant is the canonical query and all else that shapes the bytes. */
export type ListName = { readonly site: number; readonly variant: string }

export type ListCache = {
  /**
   * The list as it is at this moment or later: remembered for a second, as long as the site's token
   * is the one that was read before it was built. One build at a time for each list: who comes
   * while it runs, and may not share it, shares the next.
   */
  page: (name: ListName, encoding: Encoding, build: () => Promise<Page>) => Promise<Page>
  stats: () => { bytes: number }
}

/** A hide that could not be announced waits longer than this. */
const LIFETIME_MS = 1_000

/** `at` is before the build began, `token` was read before that. */
type Listed = { readonly page: Page; readonly token: string | undefined; readonly at: number }
type Token = string | undefined
type Flight = { token: Token; at: number; listed: Promise<Listed>; next?: Flight }

export const createListCache = (options: { tokens: CacheTokens; maxBytes: number }): ListCache => {
  const { tokens, maxBytes } = options
  const memory = createMemory<Listed>({ maxBytes, lifetimeMs: LIFETIME_MS })
  const flights = new Map<string, Flight>()
  const encode = createEncoder()

  const isGood = ({ token, at }: { token: Token; at: number }, now: Token): boolean =>
    now !== undefined &&
    token === now &&
    at >= tokens.trustedFrom() &&
    performance.now() - at < LIFETIME_MS

  const recall = (key: string, token: Token): Listed | undefined => {
    const listed = memory.get(key)
    return listed && isGood(listed, token) ? listed : undefined
  }

  /** The flight under way if it began late enough for this reader, else the one after it. */
  const share = (key: string, token: Token, build: () => Promise<Page>): Promise<Listed> => {
    const flight = flights.get(key)
    if (!flight) return start(key, token, build).listed
    if (isGood(flight, token)) return flight.listed
    flight.next ??= wait(key, flight, build)
    flight.next.token = token
    return flight.next.listed
  }

  const start = (key: string, token: Token, build: () => Promise<Page>): Flight => {
    const flight = { token, at: performance.now() } as Flight
    flight.listed = run(key, flight, build)
    flights.set(key, flight)
    return flight
  }

  const wait = (key: string, before: Flight, build: () => Promise<Page>): Flight => {
    const flight = { token: undefined, at: Number.POSITIVE_INFINITY } as Flight
    flight.listed = before.listed.then(ignore, ignore).then(() => {
      flight.at = performance.now()
      flights.set(key, flight)
      return run(key, flight, build)
    })
    return flight
  }

  const run = async (key: string, flight: Flight, build: () => Promise<Page>): Promise<Listed> => {
    const { token, at } = flight
    try {
      const listed = { page: await build(), token, at }
      if (token !== undefined) memory.set(key, listed)
      return listed
    } finally {
      if (!flight.next) flights.delete(key)
    }
  }

  return {
    page: async (name, encoding, build) => {
      const token = await tokens.find(siteToken(name.site))
      if (token === undefined) tokens.offer(siteToken(name.site))
      const key = keyOf(name, encoding)
      const remembered = recall(key, token)
      if (remembered) return remembered.page
      const plain = keyOf(name, 'identity')
      const listed = recall(plain, token) ?? (await share(plain, token, build))
      if (encoding === 'identity') return listed.page
      const page = await encode(listed.page, encoding)
      if (listed.token !== undefined) memory.set(key, { ...listed, page })
      return page
    },
    stats: () => ({ bytes: memory.calculatedSize }),
  }
}

const ignore = (): void => {}

const keyOf = ({ site, variant }: ListName, encoding: Encoding): string =>
  `${site}:${encoding}:${variant}`
