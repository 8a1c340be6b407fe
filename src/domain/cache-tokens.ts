/**
 * What a token stands for: a thread, `1:23` (site and thread), or what a whole site lists, `1`. A
 * token is random, and replaced after every change that readers see. Whatever a node has learned
 * counts only as long as the token is still the one that it saw before it asked.
 */
export type CacheTokenName = string

export const siteToken = (siteId: number): CacheTokenName => `${siteId}`
export const threadToken = (siteId: number, threadId: number): CacheTokenName =>
  `${siteId}:${threadId}`

/** None of these rejects. Times are those of the monotonic clock, in milliseconds. */
export type CacheTokens = {
  /** The token at this moment; undefined when there is none, or nobody can tell. */
  find: (name: CacheTokenName) => Promise<string | undefined>
  /** Makes a token where there was none, for the next reader. */
  offer: (name: CacheTokenName) => void
  /** Replaces tokens. False when a node may still go by an old one. */
  announce: (names: readonly CacheTokenName[]) => Promise<boolean>
  /** What was learned before this time counts no longer, whatever its token. */
  trustedFrom: () => number
}

/** What exactness rests on. Tests give other values, to show that they would notice. */
export type CacheTokenTimings = {
  /** A value that never comes twice. */
  readonly newToken: () => string
  /** So long a node trusts no token after a fault of what keeps them. */
  readonly distrustMs: number
  /** So long a hide waits that could not be announced: longer than any node remembers. */
  readonly hideWaitMs: number
}
