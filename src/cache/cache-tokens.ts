import { LRUCache } from 'lru-cache'
import type { CacheTokens } from '../domain/cache-tokens.ts'

/** A token that is dropped costs one question. */
const MAX_TOKENS = 100_000

/** For the only node there is: its own memory is what all nodes share. */
export const createLocalCacheTokens = (
  newToken: () => string,
  { maxTokens = MAX_TOKENS } = {},
): CacheTokens => {
  const tokens = new LRUCache<string, string>({ max: maxTokens })
  return {
    find: async (name) => tokens.get(name),
    offer: (name) => void (tokens.has(name) || tokens.set(name, newToken())),
    announce: async (names) => {
      for (const name of names) tokens.set(name, newToken())
      return true
    },
    trustedFrom: () => 0,
  }
}

/** For nodes that share nothing but Postgres: nobody remembers anything, so nobody is told. */
export const NO_CACHE_TOKENS: CacheTokens = {
  find: async () => undefined,
  offer: () => {},
  announce: async () => true,
  trustedFrom: () => Number.POSITIVE_INFINITY,
}
