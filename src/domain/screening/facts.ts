import type { Role } from '../comment/comment.ts'
import type { Instant } from '../instant.ts'
import type { CheckFact } from '../site/check.ts'
import type { Moderation } from '../site/site.ts'
import { type Rendering, readRendering } from './rendering.ts'

/** The comment to judge. */
export type Draft = {
  readonly rendering: Rendering
  readonly authorName: string
  readonly authorUrl: string | null
  /** The title that the comment suggests for its article; null if it suggests none. */
  readonly suggestedTitle: string | null
}

/** A comment as it is stored. */
export type WrittenDraft = Omit<Draft, 'rendering'> & {
  readonly body: string
  readonly bodyHtml: string
}

export const draftOf = ({ body, bodyHtml, ...fields }: WrittenDraft): Draft => ({
  ...fields,
  rendering: readRendering(body, bodyHtml),
})

/**
 * The data that a policy may use. They are gathered before judging, which is therefore pure, and stored with
 * the comment, which can therefore be judged again. The time spans are fixed; a policy only sets limits.
 */
export type Facts = {
  readonly at: Instant
  readonly siteModeration: Moderation
  readonly threadModeration: Moderation | null
  readonly author: {
    readonly kind: 'guest' | 'member'
    readonly role: Role
    /** Approved comments on the site, at most 100. */
    readonly approved: number
    /** Comments of the last 30 days: approved ones, and spam or rejected ones; at most 100 each. */
    readonly recentApproved: number
    readonly recentRejected: number
    /** In lower case; null without an e-mail. */
    readonly emailDomain: string | null
  }
  /** When the thread began; null if this comment begins it. */
  readonly threadSince: Instant | null
  /** Other comments of the last day on the site with the same or nearly the same text; at most 100 each. */
  readonly repeats: { readonly same: number; readonly near: number }
  /**
   * Comments of the last minute, this one included: in the thread, on the site, and from the network on
   * any site; at most 1,000 each.
   */
  readonly arrivals: { readonly thread: number; readonly site: number; readonly network: number }
  /** The end of the site's flood hold; null if there is none. */
  readonly attackedUntil: Instant | null
  /** Bans that match the writer, without those that block. */
  readonly bans: readonly { readonly id: number; readonly effect: 'hold' | 'shadow' }[]
  /** By the name of the check. */
  readonly checks: Readonly<Record<string, CheckFact>>
}
