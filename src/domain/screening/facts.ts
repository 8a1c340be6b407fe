import type { Role } from '../comment/comment.ts'
import type { Instant } from '../instant.ts'
import type { CheckFact } from '../site/check.ts'
import type { Moderation } from '../site/site.ts'

/** What is to be judged. */
export type Draft = {
  readonly body: string
  readonly authorName: string
  readonly authorUrl: string | null
}

/**
 * What was known when a comment was judged. It is gathered first, so that judging is pure, and kept with
 * the comment, so that it can be judged again. The spans are fixed: a policy only says how much is too much.
 */
export type Facts = {
  readonly at: Instant
  readonly siteModeration: Moderation
  readonly threadModeration: Moderation | null
  readonly author: {
    readonly kind: 'guest' | 'member'
    readonly role: Role
    /** Approved comments on the site, counted up to 100. */
    readonly approved: number
    /** Comments of the last 30 days that were approved, and that are spam or rejected; each up to 100. */
    readonly recentApproved: number
    readonly recentRejected: number
    /** In lower case; null without an e-mail. */
    readonly emailDomain: string | null
  }
  /** When the thread began; null: with this comment. */
  readonly threadSince: Instant | null
  /** Of the last day, on the site: with the same folded text, and with nearly the same. Each up to 100. */
  readonly repeats: { readonly same: number; readonly near: number }
  /**
   * Of the last minute, this one included: in the thread, on the site, and from the network on any
   * site. Each up to 1,000.
   */
  readonly arrivals: { readonly thread: number; readonly site: number; readonly network: number }
  /** Until when everything on the site is held, because too much arrived; null: it is not. */
  readonly attackedUntil: Instant | null
  /** Bans that meet the author and do not refuse the comment. */
  readonly bans: readonly { readonly id: number; readonly effect: 'hold' | 'shadow' }[]
  /** By the name of the check. */
  readonly checks: Readonly<Record<string, CheckFact>>
}
