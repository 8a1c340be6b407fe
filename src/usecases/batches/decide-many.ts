import { assertTransition } from '../../domain/comment/status.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import {
  insertItemsByFilter,
  insertItemsByKey,
  type SeenComment,
} from '../../postgres/jobs/batch-items.ts'
import type { QueueFilter } from '../../postgres/moderation/queue-filter.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import type { StatusRequest } from '../decisions/decide-in-thread.ts'
import { type BatchResult, type NewBatch, startBatch } from './batches.ts'

export type DecideManyRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  /** Comments as the moderator saw them; or a filter, with the snapshot in which the moderator saw its comments. */
  readonly comments:
    | { readonly listed: readonly SeenComment[] }
    | { readonly filter: QueueFilter; readonly asOf: string | undefined }
  /** The number of comments that the moderator expects. */
  readonly expectedCount: number | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
} & StatusRequest

/**
 * Decides on many comments, each as `decideComment` would. A comment whose status or text changed since stays
 * unchanged, as its outcome says. Comments are published only as the moderator saw them. Refuses with
 * `decision_conflict` if the number of comments differs from the expected one.
 */
export const decideMany = <Answer>(
  context: Context,
  request: DecideManyRequest,
  present: (result: BatchResult) => Answer,
): Promise<Answer> =>
  startBatch(context, { ...toBatch(request), idempotencyKey: request.idempotencyKey }, present)

export const toBatch = (request: DecideManyRequest): NewBatch => {
  const { site, moderator, comments, to, reason, note, replies, expectedCount } = request
  if ('listed' in comments)
    for (const { from } of comments.listed) if (from !== undefined) assertTransition(from, to)
  return {
    siteId: site.id,
    kind: 'decide',
    by: callerIdOf(moderator),
    request: {
      to,
      reason,
      note,
      replies,
      ...('filter' in comments && { filter: comments.filter }),
    },
    fill: (tx, batch) =>
      'filter' in comments
        ? insertItemsByFilter(tx, batch, comments)
        : insertItemsByKey(tx, batch, comments.listed),
    assertTotal: (total) => {
      if (expectedCount === undefined || total === expectedCount) return
      throw new Refusal('decision_conflict', { '/expected_count': `there are ${total} comments` })
    },
  }
}
