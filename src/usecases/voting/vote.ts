import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import type { AuthorCaller, Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'

export type VoteRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  /** 0 withdraws the vote. */
  readonly value: -1 | 0 | 1
  readonly addressHash: Buffer
  /** How many guests of one network may vote on one comment; undefined: no limit. */
  readonly maxGuests: number | undefined
  readonly writerIdentity: WriterIdentity | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** An allowed request, as it waits in the write queue of its thread. */
export type Vote = Omit<VoteRequest, 'caller'> & {
  readonly caller: AuthorCaller
  /** Makes the response, which is remembered under the Idempotency-Key. */
  readonly present: (voted: Voted) => unknown
}

/** A vote, and the votes that its comment has in total. */
export type Voted = {
  readonly comment: CommentKey
  readonly value: -1 | 0 | 1
  readonly upvotes: number
  readonly downvotes: number
  /** The thread's new version; undefined if the vote changed nothing. */
  readonly version: number | undefined
}
