import type { Instant } from './instant.ts'

export type Moderation = 'post' | 'pre'

/** A site and its settings. `version` changes with every change of them. */
export type Site = {
  readonly id: number
  readonly slug: string
  readonly name: string
  /** Exact origins (scheme, host, port), or `*` alone. */
  readonly origins: readonly string[]
  readonly moderation: Moderation
  readonly posting: 'anyone' | 'members' | 'nobody'
  readonly loginUrl: string | null
  readonly editWindowSeconds: number
  readonly maxDepth: number
  readonly version: number
  readonly createdAt: Instant
}

/** The opaque origin `null` is nobody's: any sandboxed page can send it. */
export const isAllowedOrigin = (site: Site, origin: string): boolean =>
  origin !== 'null' && (site.origins.includes('*') || site.origins.includes(origin))
