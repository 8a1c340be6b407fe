import type { Role } from '../comment/comment.ts'
import type { Instant } from '../instant.ts'

/** How a site signs its members' tokens: with shared secrets, or with keys whose public half it serves. */
export type SignOn = {
  readonly issuer: string
  /** The longest life of a token, in seconds. Undefined: `DEFAULT_TOKEN_AGE`. */
  readonly maxTokenAge?: number
} & ({ readonly hs256: readonly SignOnSecret[] } | { readonly jwksUrl: string })

/** 30 days, in seconds. */
export const DEFAULT_TOKEN_AGE = 2_592_000

/** `kid` names the secret in a token's header, so that an old and a new secret work side by side. */
export type SignOnSecret = { readonly kid: string; readonly secret: string }

/** The verified content of a member's token. */
export type MemberProfile = {
  /** The site's own id of the member, at most 255 characters. */
  readonly subject: string
  readonly name: string
  readonly url: string | null
  /** The claim `picture` of the token. */
  readonly avatarUrl: string | null
  readonly email: string | null
  readonly emailVerified: boolean
  readonly roles: readonly Role[]
  /** When the token was issued: an older token changes nothing. */
  readonly issuedAt: Instant
}

/**
 * Reads a member's token for a site (its slug, or its former one, is the audience). Refuses with `invalid_token`, and with
 * `unavailable` while the site's public keys cannot be fetched.
 */
export type ReadMemberToken = (
  site: {
    readonly slug: string
    readonly formerSlug?: string | null
    readonly signOn: SignOn | null
  },
  token: string,
) => Promise<MemberProfile>
