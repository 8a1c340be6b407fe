import type { PolicyInForce } from '../../cache/policies.ts'
import type { Comment } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import type { Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { CheckTiming } from '../../domain/screening/check-facts.ts'
import type { Rendering } from '../../domain/screening/rendering.ts'
import type { Sender } from '../../domain/site/check.ts'
import type { Site } from '../../domain/site/site.ts'
import type { GuestProfile } from '../../postgres/people/authors.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { TextHashes } from '../policies/count-facts.ts'

export type PostRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly articleId: string
  /** `isConfirmed`: staff name the article. The URL of others is one of the site's. */
  readonly article: {
    readonly title: string | null
    readonly url: string | null
    readonly isConfirmed: boolean
  }
  readonly body: string
  /** Undefined: a root comment. Null: a reply to an id that no comment can have. */
  readonly parent: CommentKey | null | undefined
  readonly author: GuestProfile | undefined
  /** The member that a key posts as, by the site's own id. */
  readonly authorSubject?: string | undefined
  /** Null, as the next, if the sender's address is not known. */
  readonly network: string | null
  readonly addressHash: Buffer | null
  readonly writerIdentity: WriterIdentity | undefined
  readonly sender: Sender
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** A prepared request, as it waits in the write queue of its thread. */
export type Post = PostRequest & {
  /** The existing author of the post; undefined for a new guest. */
  readonly writerId: number | undefined
  readonly bodyHtml: string
  readonly rendering: Rendering
  readonly policy: PolicyInForce
  readonly hashes: TextHashes
  /** Makes the response, which is remembered under the Idempotency-Key. */
  readonly present: (posted: Posted) => unknown
}

/** A stored comment, as its author may see it. */
export type Posted = {
  readonly comment: Comment
  /** The thread's new version; undefined if readers cannot see the comment. */
  readonly version: number | undefined
  /** The id of a guest who was created for this comment and needs a token. */
  readonly newGuestId: number | undefined
  readonly checking: CheckTiming
}

/** The effect of a post, for the steps after its commit. */
export type PostEffect = {
  readonly posted: Posted
  /** The end of the flood hold that this post started; undefined if it started none. */
  readonly floodHoldUntil: Instant | undefined
}

export const isSuggestion = ({ isConfirmed, url }: Post['article']): boolean =>
  !isConfirmed && url !== null
