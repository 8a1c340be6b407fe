import { LRUCache } from 'lru-cache'
import { atMost } from '../domain/at-most.ts'
import type { CacheTokens } from '../domain/cache-tokens.ts'

/** A cache token that is dropped costs one query. */
const MAX_TOKENS = 100_000

/** Cache tokens of a node without other nodes: it keeps them in its own memory. */
export const createLocalCacheTokens = (
  newToken: () => string,
  { maxTokens = MAX_TOKENS } = {},
): CacheTokens => {
  const tokens = new LRUCache<string, string>(atMost(maxTokens))
  return {
    find: async (name) => tokens.get(name),
    offer: (name) => void (tokens.has(name) || tokens.set(name, newToken())),
    invalidate: async (names) => {
      for (const name of names) tokens.set(name, newToken())
      return true
    },
    trustedFrom: () => 0,
  }
}

/** Cache tokens of nodes that share only Postgres: without a token, a node does not cache anything. */
export const NO_CACHE_TOKENS: CacheTokens = {
  find: async () => undefined,
  offer: () => {},
  invalidate: async () => true,
  trustedFrom: () => Number.POSITIVE_INFINITY,
}
