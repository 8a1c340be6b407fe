import { canonicalArticleId } from '../comment/article-address.ts'
import type { Sort } from '../comment/sort.ts'
import { type Instant, instantOf } from '../instant.ts'
import type { SignOn } from '../people/sign-on.ts'
import { Refusal } from '../refusal.ts'
import type { Check } from './check.ts'

export type Moderation = 'post' | 'pre'

/** Actions with a limit per person and minute. */
export const PERSON_LIMITS = ['create', 'vote', 'flag', 'preview', 'sign_on', 'export'] as const
export type PersonLimit = (typeof PERSON_LIMITS)[number]
/** 0 means no limit; a missing limit means the service's own. */
export type PersonLimits = Readonly<Partial<Record<PersonLimit, number>>>

/** A site and its settings. Every change of the settings raises `version`. */
export type Site = {
  readonly id: number
  readonly slug: string
  /** The slug before the latest renaming, while it still names the site; null otherwise. */
  readonly formerSlug: string | null
  readonly formerSlugUntil: Instant | null
  readonly name: string
  /** Exact origins (scheme, host, port), or `*` alone. */
  readonly origins: readonly string[]
  readonly moderation: Moderation
  readonly posting: 'anyone' | 'members' | 'nobody'
  /** A closed site takes no posts, edits, votes, flags and guests; its staff can still moderate. */
  readonly state: 'open' | 'closed'
  readonly reading: 'anyone' | 'members'
  /** `up`: downvotes are refused. */
  readonly voting: 'all' | 'up' | 'off'
  /** Whether guests must give an e-mail address. */
  readonly emailRequired: boolean
  /** The length of a comment in code points, for everyone but the staff. */
  readonly minBodyLength: number
  readonly maxBodyLength: number
  /** A BCP 47 tag; null if the site does not say. */
  readonly language: string | null
  /** Names that guests cannot take, beside those of members. */
  readonly reservedNames: readonly string[]
  /** `canonical`: an article id that is an address stands for its canonical form. */
  readonly articleIds: 'as_sent' | 'canonical'
  readonly loginUrl: string | null
  readonly editWindowSeconds: number
  readonly maxDepth: number
  readonly limits: PersonLimits
  /** The sorts that readers may choose; the first is the default. */
  readonly sorts: readonly Sort[]
  /** How long addresses of writers are stored, as keyed hashes and truncated networks. */
  readonly retentionDays: number
  /** This many flags send a comment back to the queue; 0 for never. */
  readonly flagThreshold: number
  /** A thread closes this many days after it began; 0 for never. */
  readonly closeAfterDays: number
  /** How long an author waits between two comments in one thread; 0 for no wait. */
  readonly slowModeSeconds: number
  /** Null if the site has no members. */
  readonly signOn: SignOn | null
  /** External checks. */
  readonly checks: readonly Check[]
  /** The version of the policy in force; 0 for the default policy. */
  readonly policyVersion: number
  readonly version: number
  readonly createdAt: Instant
}

/** Whether pages of every origin may read and write. */
export const isForAllOrigins = ({ origins }: Site): boolean => origins.includes('*')

/** The opaque origin `null` is never allowed: any sandboxed page can send it. */
export const isAllowedOrigin = (site: Site, origin: string): boolean =>
  origin !== 'null' && (isForAllOrigins(site) || site.origins.includes(origin))

/** The end of the edit window of a comment. */
export const editableUntil = (
  { editWindowSeconds }: Pick<Site, 'editWindowSeconds'>,
  { createdAt }: { readonly createdAt: Instant },
): Instant => instantOf(Date.parse(createdAt) + editWindowSeconds * 1000)

/**
 * Whether the edit window of a comment is over. A clock that was set back leaves comments ahead of now: the window of
 * one that is further ahead than the window is long is over too.
 */
export const isEditWindowOver = (
  site: Pick<Site, 'editWindowSeconds'>,
  { createdAt, readAt }: { readonly createdAt: Instant; readonly readAt: Instant },
): boolean =>
  readAt > editableUntil(site, { createdAt }) ||
  createdAt > editableUntil(site, { createdAt: readAt })

/** The id of the article that a request means by an id. */
export const articleIdOn = ({ articleIds }: Pick<Site, 'articleIds'>, id: string): string =>
  articleIds === 'canonical' ? canonicalArticleId(id) : id

/** Refuses writes to a closed site. */
export const assertIsOpen = ({ state }: Site): void => {
  if (state === 'closed') throw new Refusal('site_closed')
}

/** Whether only members take part: guests who cannot read cannot write either. */
export const isForMembers = ({ posting, reading }: Site): boolean =>
  posting === 'members' || reading === 'members'

/**
 * Whether a URL is on one of the site's origins. A site that allows every origin takes only URLs on the origin of
 * the page that sends the request.
 */
export const isSiteUrl = (site: Site, url: string, pageOrigin: string | undefined): boolean => {
  const { origin } = new URL(url)
  return isForAllOrigins(site) ? origin === pageOrigin : site.origins.includes(origin)
}
