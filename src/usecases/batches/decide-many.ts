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
import { type BatchResult, type NewBatch, startBatch } from './batches.ts'

export type DecideManyRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  /** Comments by id, or a filter. */
  readonly comments: readonly CommentKey[] | QueueFilter
  /** The number of comments that the moderator expects. */
  readonly expectedCount: number | undefined
  /** The status that the moderator saw; undefined for each comment's status when the request arrives. */
  readonly from: Status | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
} & StatusRequest

/**
 * Decides on many comments, each as `decideComment` would. A comment whose status changed since stays
 * unchanged, as its outcome says. Refuses with `decision_conflict` if the number of comments differs from
 * the expected one.
 */
export const decideMany = <Answer>(
  context: Context,
  request: DecideManyRequest,
  present: (result: BatchResult) => Answer,
): Promise<Answer> =>
  startBatch(context, { ...toBatch(request), idempotencyKey: request.idempotencyKey }, present)

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
