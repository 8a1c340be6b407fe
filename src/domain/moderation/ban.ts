import type { Reason, Status } from '../comment/status.ts'
import type { Instant } from '../instant.ts'

export const BAN_KINDS = ['author', 'network', 'email', 'email_domain'] as const
export type BanKind = (typeof BAN_KINDS)[number]

/** `block` refuses posts, edits, votes and flags, `hold` sends comments to the queue, `shadow` shows them only to their author. */
export const BAN_EFFECTS = ['block', 'hold', 'shadow'] as const
export type BanEffect = (typeof BAN_EFFECTS)[number]

/** The effect of a new ban on earlier comments of the banned writer. */
export const EXISTING_COMMENT_ACTIONS = ['keep', 'pending', 'spam', 'rejected', 'deleted'] as const
export type ExistingCommentAction = (typeof EXISTING_COMMENT_ACTIONS)[number]

/** The statuses that a new ban changes. It publishes nothing, and moves nothing out of spam. */
export const STATUSES_CHANGED_BY: Record<
  Exclude<ExistingCommentAction, 'keep'>,
  readonly Status[]
> = {
  pending: ['approved'],
  spam: ['approved', 'pending'],
  rejected: ['approved', 'pending'],
  deleted: ['approved', 'pending', 'spam', 'rejected'],
}

export type Ban = {
  readonly id: number
  /** Null for a ban on every site. */
  readonly siteId: number | null
  readonly kind: BanKind
  readonly authorId: number | null
  /** In CIDR notation. */
  readonly network: string | null
  /** The e-mail domain. A banned e-mail address is stored only as a hash and this domain. */
  readonly domain: string | null
  readonly effect: BanEffect
  readonly reason: Reason | null
  readonly note: string | null
  readonly by: string
  readonly at: Instant
  readonly expiresAt: Instant | null
  readonly liftedBy: string | null
  readonly liftedAt: Instant | null
  readonly isInForce: boolean
}

/** The author, network, e-mail address or e-mail domain that a ban names. */
export type BanSubject =
  | { readonly kind: 'author'; readonly authorId: number }
  | {
      readonly kind: 'network'
      readonly network: string
      /** The address hashes that comments can store; none if the network has several senders. */
      readonly addressHashes: readonly Buffer[]
    }
  | {
      readonly kind: 'email'
      /** A new ban stores the first; a stored one can have any. */
      readonly emailHashes: readonly Buffer[]
      readonly domain: string
    }
  | { readonly kind: 'email_domain'; readonly domain: string }

/** The data of a writer that bans match. Moderators have none: bans do not apply to them. */
export type WriterIdentity = {
  readonly authorId: number | undefined
  /** Never stored; null if it is not known. */
  readonly ip: string | null
  readonly emailHashes: readonly Buffer[]
  /** The domain of the e-mail address, and the domains above it. */
  readonly domains: readonly string[]
}

/**
 * Hashes by which bans and comments recognise addresses that they do not store: one under each secret of the service.
 * New rows store the first.
 */
export type BanHashes = {
  readonly emails: (email: string) => readonly Buffer[]
  readonly addresses: (ip: string) => readonly Buffer[]
}

/** A ban that applies to a writer. */
export type BanMatch = Pick<Ban, 'id' | 'effect'>

/** One spelling for all spellings of the same address. */
export const normalizeEmail = (email: string): string => {
  const at = email.lastIndexOf('@')
  return `${email.slice(0, at).normalize('NFC').toLowerCase()}@${normalizeDomain(email.slice(at + 1))}`
}

/** In lower case and ASCII, as in DNS. */
export const normalizeDomain = (domain: string): string =>
  URL.parse(`http://${domain}`)?.hostname ?? domain.toLowerCase()

/** The domain of a normalized address and those above it, without the top-level domain. */
export const domainsOf = (email: string): string[] => {
  const labels = email.slice(email.lastIndexOf('@') + 1).split('.')
  return labels.slice(0, -1).map((_, n) => labels.slice(n).join('.'))
}
