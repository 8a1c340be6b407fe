import type { Instant } from '../instant.ts'

/** An external check. The site's policy names it by `name`. */
export type Check = {
  readonly name: string
  /** For Akismet the base address of its methods. */
  readonly url: string
  /** Signs requests and responses; for Akismet the API key. Never returned. */
  readonly secret: string
  readonly timeoutMs: number
} & (
  | { readonly kind: 'http' }
  /** `siteUrl`: the front page of the protected site. */
  | { readonly kind: 'akismet'; readonly siteUrl: string; readonly isTest: boolean }
)

export const MAX_CHECKS = 5

/** The pattern of a check's name. Every JavaScript object has a property `constructor`. */
export const CHECK_NAME = '^(?!constructor$)[a-z0-9][a-z0-9-]{0,31}$'
/** The service asks all checks in parallel while the author waits. */
export const MAX_TIMEOUT_MS = 2_000

/** The sender of a comment, known only during the request. */
export type Sender = {
  /** Null if the proxy reports no valid address. */
  readonly ip: string | null
  readonly userAgent: string | null
}

export const UNKNOWN_SENDER: Sender = { ip: null, userAgent: null }

/** A comment and its sender, as a check receives them. */
export type CheckInput = {
  /** The slug. */
  readonly site: string
  /** The public ids. */
  readonly commentId: string
  readonly parentId: string | null
  readonly articleId: string
  readonly articleUrl: string | null
  readonly revision: number
  readonly body: string
  readonly createdAt: Instant
  readonly author: {
    readonly kind: 'guest' | 'member'
    readonly name: string
    readonly url: string | null
    readonly email: string | null
  }
  /** The address while posting, later the first address of its network; null once that is deleted. */
  readonly ip: string | null
  readonly userAgent: string | null
}

/** A signed request from a check. */
export type Signed = {
  /** The path of the request. */
  readonly path: string
  /** Seconds since 1970, in digits. */
  readonly timestamp: string
  readonly signature: string
  /** Byte for byte. */
  readonly body: Buffer
}

/** The result of an external check for one comment. */
export type CheckFact =
  /** The check was asked, and may still respond. */
  | { readonly state: 'asked' }
  /** 0 is surely good, 1 is surely spam. */
  | { readonly state: 'answered'; readonly score: number }
  | { readonly state: 'failed'; readonly why: string }
  /** The site has no such check, or its policy turns it off. Its rule finds nothing. */
  | { readonly state: 'removed' }

/** Access to external checks. */
export type Checks = {
  /** Never rejects: a failure is a fact. `asked`: the check will call back. */
  readonly ask: (check: Check, input: CheckInput) => Promise<CheckFact>
  /** Reports a moderator's decision. Rejects if the check does not accept it. */
  readonly report: (check: Check, input: CheckInput, isSpam: boolean) => Promise<void>
  /** Whether the check sent this request, and recently. */
  readonly isFrom: (check: Check, signed: Signed) => boolean
}

/** The path of a check's callback. The signature covers it, so that a verdict is valid on one site only. */
export const verdictsPath = (site: string, name: string): string =>
  `/v1/sites/${site}/checks/${name}/verdicts`
