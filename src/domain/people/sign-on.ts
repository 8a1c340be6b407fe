import type { Role } from '../comment/comment.ts'
import type { Instant } from '../instant.ts'

/** How a site vouches for its members: by secrets that it shares with us, or by public keys. */
export type SignOn =
  | { readonly issuer: string; readonly hs256: readonly SignOnSecret[] }
  | { readonly issuer: string; readonly jwksUrl: string }

/** HS256; `kid` names it in the head of a token, so that an old and a new one hold at once. */
export type SignOnSecret = { readonly kid: string; readonly secret: string }

/** What a member's token says, checked: who it is, and how it is shown. */
export type MemberProfile = {
  /** The site's own id of the member, at most 255 characters. */
  readonly subject: string
  readonly name: string
  readonly url: string | null
  /** What the token calls `picture`. */
  readonly avatarUrl: string | null
  readonly email: string | null
  readonly emailVerified: boolean
  readonly roles: readonly Role[]
  /** When the token was made: an older one says nothing new. */
  readonly issuedAt: Instant
}

/**
 * Reads a member's token for a site (its slug is the audience). Refuses with `invalid_token`, and with
 * `unavailable` while the site's public keys cannot be fetched.
 */
export type ReadMemberToken = (
  site: { readonly slug: string; readonly signOn: SignOn | null },
  token: string,
) => Promise<MemberProfile>
