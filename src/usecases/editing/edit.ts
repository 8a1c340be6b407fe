import type { PolicyInForce } from '../../cache/policies.ts'
import type { Comment } from '../../domain/comment/comment.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import type { Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { CheckTiming } from '../../domain/screening/check-facts.ts'
import type { Rendering } from '../../domain/screening/rendering.ts'
import type { Sender } from '../../domain/site/check.ts'
import type { Site } from '../../domain/site/site.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { TextHashes } from '../policies/count-facts.ts'

export type EditRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly body: string
  /** The revision that the caller has seen; undefined: the caller does not say. */
  readonly ifRevision: number | undefined
  readonly writerIdentity: WriterIdentity | undefined
  readonly sender: Sender
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** A prepared request, as it waits in the write queue of its site or thread. */
export type Edit = EditRequest & {
  readonly bodyHtml: string
  readonly rendering: Rendering
  readonly hashes: TextHashes
  readonly policy: PolicyInForce
  /** Makes the response, which is remembered under the Idempotency-Key. */
  readonly present: (edited: Edited) => unknown
}

export type Edited = {
  readonly comment: Comment
  readonly version: number | undefined
  readonly checking: CheckTiming
}
