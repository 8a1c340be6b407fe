import type { Instant } from '../instant.ts'

/** A service outside that a site asks about its comments. Its name is the one in the site's policy. */
export type Check = {
  readonly name: string
  /** Of Akismet the address that its methods are below. */
  readonly url: string
  /** Signs what is sent and what comes back; of Akismet the API key. Never leaves. */
  readonly secret: string
  readonly timeoutMs: number
} & (
  | { readonly kind: 'http' }
  /** `siteUrl`: the front page of what it protects. */
  | { readonly kind: 'akismet'; readonly siteUrl: string; readonly isTest: boolean }
)

export const MAX_CHECKS = 5
/** An author waits for all of them together, and they are asked at once. */
export const MAX_TIMEOUT_MS = 2_000

/** Who has sent a comment, as it is known only while it posts. */
export type Sender = {
  /** Null: what a proxy says of it is no address. */
  readonly ip: string | null
  readonly userAgent: string | null
}

export const UNKNOWN_SENDER: Sender = { ip: null, userAgent: null }

/** What is asked about: a comment, and what is known of who sent it. */
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
  /** At the moment of posting the address itself; later the first one of its network; null: forgotten. */
  readonly ip: string | null
  readonly userAgent: string | null
}

/** Something that a check has sent, and what is said to prove it. */
export type Signed = {
  /** Where it was sent to. */
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

/** The services outside, as this node reaches them. */
export type Checks = {
  /** Never rejects: a service that fails is a fact. `asked`: it will call back. */
  readonly ask: (check: Check, question: CheckInput) => Promise<CheckFact>
  /** Tells a service what a moderator has decided. Rejects when it does not take it. */
  readonly report: (check: Check, question: CheckInput, isSpam: boolean) => Promise<void>
  /** Whether the check itself has sent it, not long ago. */
  readonly isFrom: (check: Check, signed: Signed) => boolean
}

/** Where a check calls back to; it is signed along, so that a verdict is good in one place. */
export const verdictsPath = (site: string, name: string): string =>
  `/v1/sites/${site}/checks/${name}/verdicts`
