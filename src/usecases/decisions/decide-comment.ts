import { assertTransition, isVisible, type Status } from '../../domain/comment/status.ts'
import type { Outcome } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import type { Decision } from '../../postgres/moderation/decisions.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { decideInThread, type StatusRequest } from './decide-in-thread.ts'

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

/**
 * Changes a comment from the status and the text that the moderator saw to another status. Of two moderators
 * who saw the same status, exactly one succeeds; the other is refused with `decision_conflict`, and so is a
 * moderator who saw another text.
 */
export const decideComment = async <Answer>(
  context: Context,
  request: DecideRequest,
  present: (decided: Decided) => Answer,
): Promise<Answer> => {
  assertTransition(request.from, request.to)
  if (isVisible(request.to)) assertSeen(request.revision)
  const { site, comment, idempotencyKey } = request
  const isHide = !isVisible(request.to)
  const invalidated = { siteId: site.id, threadIds: [comment.threadId], isHide }
  return withInvalidation(context, invalidated, () =>
    runOnce(context, idempotencyKey, async (tx) => present(await decide(tx, request))),
  )
}

const decide = async (tx: Tx, { site, comment, ...request }: DecideRequest): Promise<Decided> => {
  const thread = { siteId: site.id, threadId: comment.threadId }
  await acquireThreadLock(tx, thread, 'exclusive')
  const { results, version } = await decideInThread(tx, thread, {
    targets: [{ id: comment.id, seen: request.from, revision: request.revision }],
    request,
    origin: { siteId: site.id, by: callerIdOf(request.moderator) },
  })
  const { outcome, decision } = results.get(comment.id)!
  if (!decision) throw refusalOf(outcome)
  return { decision, version }
}

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
