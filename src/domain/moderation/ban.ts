import type { Reason, Status } from '../comment/status.ts'
import type { Instant } from '../instant.ts'

export const BAN_KINDS = ['author', 'network', 'email', 'email_domain'] as const
export type BanKind = (typeof BAN_KINDS)[number]

/** `block` refuses all writes, `hold` sends comments to the queue, `shadow` shows them to their author alone. */
export const BAN_EFFECTS = ['block', 'hold', 'shadow'] as const
export type BanEffect = (typeof BAN_EFFECTS)[number]

/** What becomes of what the banned have written before. */
export const EXISTING_COMMENT_ACTIONS = ['keep', 'pending', 'spam', 'rejected', 'deleted'] as const
export type ExistingCommentAction = (typeof EXISTING_COMMENT_ACTIONS)[number]

/** Which comments get another status with a ban. It takes nothing out of the spam, or back. */
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
  /** Null: every site. */
  readonly siteId: number | null
  readonly kind: BanKind
  readonly authorId: number | null
  /** As CIDR. */
  readonly network: string | null
  /** Of e-mail; of a banned address, which is kept nowhere, this is all that is known. */
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

/** Whom a ban is on. */
export type BanSubject =
  | { readonly kind: 'author'; readonly authorId: number }
  | {
      readonly kind: 'network'
      readonly network: string
      /** As comments keep it, if it is the network of one sender. */
      readonly addressHash: Buffer | null
    }
  | { readonly kind: 'email'; readonly emailHash: Buffer; readonly domain: string }
  | { readonly kind: 'email_domain'; readonly domain: string }

/** Somebody who writes, as bans know it. Moderators are none: a ban does not meet them. */
export type WriterIdentity = {
  readonly authorId: number | undefined
  /** In memory only; null when it is no address. */
  readonly ip: string | null
  readonly emailHashes: readonly Buffer[]
  /** Of its e-mail, with all above them. */
  readonly domains: readonly string[]
}

/** A ban as it meets somebody. */
export type BanMatch = Pick<Ban, 'id' | 'effect'>

/** The one way in which an address is written that is the same for everybody who has it. */
export const normalizeEmail = (email: string): string => {
  const at = email.lastIndexOf('@')
  return `${email.slice(0, at).normalize('NFC').toLowerCase()}@${normalizeDomain(email.slice(at + 1))}`
}

/** In lower case, other scripts as DNS has them. */
export const normalizeDomain = (domain: string): string =>
  URL.parse(`http://${domain}`)?.hostname ?? domain.toLowerCase()

/** The domain of a normalised address and those above it, but for the last label alone. */
export const domainsOf = (email: string): string[] => {
  const labels = email.slice(email.lastIndexOf('@') + 1).split('.')
  return labels.slice(0, -1).map((_, n) => labels.slice(n).join('.'))
}
