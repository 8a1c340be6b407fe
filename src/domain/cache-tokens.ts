/**
 * Names the cache token of a thread, `1:23` (site and thread), or of all lists of a site, `1`. A cache
 * token is random, and replaced after every change that readers see. A cached page or thread is current
 * only while its token is the one that the node read before it loaded the page or thread.
 */
export type CacheTokenName = string

export const siteToken = (siteId: number): CacheTokenName => `${siteId}`
export const threadToken = (siteId: number, threadId: number): CacheTokenName =>
  `${siteId}:${threadId}`

/** No function rejects. Times are milliseconds of the monotonic clock. */
export type CacheTokens = {
  /** Finds the current token; undefined if there is none, or if the store does not answer. */
  find: (name: CacheTokenName) => Promise<string | undefined>
  /** Creates the token if there is none, for the next read. */
  offer: (name: CacheTokenName) => void
  /** Replaces tokens. Returns false if a node can still use an old token. */
  invalidate: (names: readonly CacheTokenName[]) => Promise<boolean>
  /** Pages and threads loaded before this time are not current, whatever their tokens. */
  trustedFrom: () => number
}

/** The values that exact caching depends on. Tests set wrong values to show that they notice. */
export type CacheTokenTimings = {
  /** Returns a new value each time. */
  readonly newToken: () => string
  /** How long a node trusts no token after a fault of the store. */
  readonly distrustMs: number
  /** How long a hide waits if its invalidation fails: longer than any node uses a cached copy. */
  readonly hideWaitMs: number
}
