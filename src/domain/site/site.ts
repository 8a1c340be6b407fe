import type { Sort } from '../comment/sort.ts'
import type { Instant } from '../instant.ts'
import type { SignOn } from '../people/sign-on.ts'
import type { Check } from './check.ts'

export type Moderation = 'post' | 'pre'

/** What one person may do so often in a minute, each counted apart. */
export const PERSON_LIMITS = ['create', 'vote', 'flag', 'preview', 'sign_on'] as const
export type PersonLimit = (typeof PERSON_LIMITS)[number]
/** 0: no limit of this kind; missing: as the service says. */
export type PersonLimits = Readonly<Partial<Record<PersonLimit, number>>>

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
  readonly limits: PersonLimits
  /** The orders that readers may ask for; the first is what they get unasked. */
  readonly sorts: readonly Sort[]
  /** So long the addresses of writers are kept, as keyed hashes and truncated networks. */
  readonly retentionDays: number
  /** So many flags send a comment back to the queue; 0: no number does. */
  readonly flagThreshold: number
  /** So many days after it began a thread closes; 0: never. */
  readonly closeAfterDays: number
  /** So long a person waits between two comments in one thread; 0: not at all. */
  readonly slowModeSeconds: number
  /** Null: the site has no members. */
  readonly signOn: SignOn | null
  /** Services outside that are asked about comments. */
  readonly checks: readonly Check[]
  /** Of the policy that comments are judged by; 0: the one that the service ships. */
  readonly policyVersion: number
  readonly version: number
  readonly createdAt: Instant
}

/** The opaque origin `null` is nobody's: any sandboxed page can send it. */
export const isAllowedOrigin = (site: Site, origin: string): boolean =>
  origin !== 'null' && (site.origins.includes('*') || site.origins.includes(origin))
