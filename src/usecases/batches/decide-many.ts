import { assertTransition, type Status } from '../../domain/comment/status.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { insertItemsByFilter, insertItemsByKey } from '../../postgres/jobs/batch-items.ts'
import type { QueueFilter } from '../../postgres/moderation/queue-filter.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import type { StatusRequest } from '../decisions/decide-in-thread.ts'
import { type BatchResult, type NewBatch, startBatch } from './start-batch.ts'

export type DecideManyRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  /** Which comments: their ids, or what a filter finds. */
  readonly comments: readonly CommentKey[] | QueueFilter
  /** How many there must be. */
  readonly expectedCount: number | undefined
  /** The status that the moderator saw; undefined: what each has when the request arrives. */
  readonly from: Status | undefined
  readonly claim: IdempotencyKey | undefined
} & StatusRequest

/**
 * Decides on many comments, each as `decideComment` would: what has moved on meanwhile stays as it is,
 * and its outcome says so. Refuses with `decision_conflict` when there are not as many as expected.
 */
export const decideMany = <Answer>(
  context: Context,
  request: DecideManyRequest,
  present: (result: BatchResult) => Answer,
): Promise<Answer> => startBatch(context, { ...toBatch(request), claim: request.claim }, present)

export const toBatch = (request: DecideManyRequest): NewBatch => {
  const { site, moderator, comments, from, to, reason, note, replies, expectedCount } = request
  if (from !== undefined) assertTransition(from, to)
  return {
    siteId: site.id,
    kind: 'decide',
    by: callerIdOf(moderator),
    request: { to, reason, note, replies, ...('statuses' in comments && { filter: comments }) },
    fill: (tx, batch) =>
      'statuses' in comments
        ? insertItemsByFilter(tx, batch, comments)
        : insertItemsByKey(tx, batch, { keys: comments, from }),
    assertTotal: (total) => {
      if (expectedCount === undefined || total === expectedCount) return
      throw new Refusal('decision_conflict', { '/expected_count': `there are ${total} comments` })
    },
  }
}
