import { type CacheTokens, siteToken } from '../domain/cache-tokens.ts'
import type { Encoding, Page } from '../domain/page-store.ts'
import { createEncoder } from './encoder.ts'
import { createMemory } from './memory.ts'

/** Names a list of a site. The variant is the canonical query and everything else that shapes the bytes. */
export type ListName = { readonly site: number; readonly variant: string }

export type ListCache = {
  /**
   * Returns the list as it is now or later. A list is cached for a second, while the site's cache token is
   * the one read before the build. One build runs at a time per list: a call during a build that began
   * too early for it shares the next build.
   */
  page: (name: ListName, encoding: Encoding, build: () => Promise<Page>) => Promise<Page>
  stats: () => { bytes: number }
}

/** A hide whose invalidation fails waits longer than this. */
const LIFETIME_MS = 1_000

type Token = string | undefined

/** `at` is a time before the build began; `token` was read before that. */
type Entry = { readonly page: Page; readonly token: Token; readonly at: number }
type Build = { token: Token; at: number; entry: Promise<Entry>; next?: Build }
type BuildPage = () => Promise<Page>
type IsCurrent = (built: Pick<Entry, 'token' | 'at'>, token: Token) => boolean

export const createListCache = ({
  cacheTokens,
  maxBytes,
}: {
  cacheTokens: CacheTokens
  maxBytes: number
}): ListCache => {
  const memory = createMemory<Entry>({ maxBytes, lifetimeMs: LIFETIME_MS })
  const encode = createEncoder()

  const isCurrent: IsCurrent = ({ token, at }, now) =>
    now !== undefined &&
    token === now &&
    at >= cacheTokens.trustedFrom() &&
    performance.now() - at < LIFETIME_MS

  const keep = (key: string, entry: Entry): void => {
    if (entry.token !== undefined) memory.set(key, entry)
  }
  const findCurrent = (key: string, token: Token): Entry | undefined => {
    const entry = memory.get(key)
    return entry && isCurrent(entry, token) ? entry : undefined
  }
  const buildOnce = createBuilds(isCurrent, keep)

  return {
    page: async (name, encoding, build) => {
      const token = await cacheTokens.find(siteToken(name.site))
      if (token === undefined) cacheTokens.offer(siteToken(name.site))
      const key = keyOf(name, encoding)
      const cached = findCurrent(key, token)
      if (cached) return cached.page
      const plain = keyOf(name, 'identity')
      const entry = findCurrent(plain, token) ?? (await buildOnce(plain, token, build))
      if (encoding === 'identity') return entry.page
      const page = await encode(entry.page, encoding)
      keep(key, { ...entry, page })
      return page
    },
    stats: () => ({ bytes: memory.calculatedSize }),
  }
}

/** Runs one build at a time for each key, and at most one that waits for it. */
const createBuilds = (isCurrent: IsCurrent, keep: (key: string, entry: Entry) => void) => {
  const builds = new Map<string, Build>()

  const start = (key: string, token: Token, buildPage: BuildPage): Build => {
    const build = { token, at: performance.now() } as Build
    build.entry = run(key, build, buildPage)
    builds.set(key, build)
    return build
  }

  const startAfter = (key: string, before: Build, buildPage: BuildPage): Build => {
    const build = { token: undefined, at: Number.POSITIVE_INFINITY } as Build
    build.entry = before.entry.then(ignore, ignore).then(() => {
      build.at = performance.now()
      builds.set(key, build)
      return run(key, build, buildPage)
    })
    return build
  }

  const run = async (key: string, build: Build, buildPage: BuildPage): Promise<Entry> => {
    const { token, at } = build
    try {
      const entry = { page: await buildPage(), token, at }
      keep(key, entry)
      return entry
    } finally {
      if (!build.next) builds.delete(key)
    }
  }

  /** Returns the entry of the running build if it began late enough, else of the build after it. */
  return (key: string, token: Token, buildPage: BuildPage): Promise<Entry> => {
    const build = builds.get(key)
    if (!build) return start(key, token, buildPage).entry
    if (isCurrent(build, token)) return build.entry
    build.next ??= startAfter(key, build, buildPage)
    build.next.token = token
    return build.next.entry
  }
}

const ignore = (): void => {}

const keyOf = ({ site, variant }: ListName, encoding: Encoding): string =>
  `${site}:${encoding}:${variant}`
