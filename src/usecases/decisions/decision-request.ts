import type { Status } from '../../domain/comment/status.ts'
import type { Outcome } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Decision } from '../../postgres/moderation/decisions.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { StatusRequest } from './decide-in-thread.ts'

export type DecideRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly comment: CommentKey
  /** The status that the moderator saw. */
  readonly from: Status
  /** The revision that the moderator saw. Required to publish the comment. */
  readonly revision: number | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
} & StatusRequest

export type Decided = { readonly decision: Decision; readonly version: number | undefined }

/** A decision as it waits in the write queue of its site. */
export type QueuedDecision = DecideRequest & {
  /** Makes the response, which is remembered under the Idempotency-Key. */
  readonly present: (decided: Decided) => unknown
}

/** The moderator, reason and note of a decision, as its row has them. */
export const statementOf = ({ moderator, reason, note }: DecideRequest) => ({
  by: callerIdOf(moderator),
  reason,
  note,
})

/** Refuses to publish a text that the moderator does not name. */
export const assertSeen = (revision: number | undefined): void => {
  if (revision === undefined)
    throw new Refusal('invalid_request', { '/revision': 'is required to publish a comment' })
}

/** The refusal of a decision that changed nothing. */
export const refusalOf = (outcome: Outcome): Refusal => {
  if (outcome === 'not_found' || outcome === 'move_not_allowed') return new Refusal(outcome)
  const faults = outcome === 'changed_since' ? { '/revision': 'the text was edited since' } : {}
  return new Refusal('decision_conflict', faults)
}
