import { assertMove, isVisible, type Status } from '../../domain/comment/status.ts'
import { nameOf, type Official } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { lockThread } from '../../postgres/connection/transaction.ts'
import type { Decision } from '../../postgres/moderation/decisions.ts'
import type { Claim } from '../../postgres/service/idempotency.ts'
import type { World } from '../context.ts'
import { announcing } from '../invalidate.ts'
import { answerOnce } from '../run-once.ts'
import { decideSome, type Order, type Settled } from './decide-in-thread.ts'

export type DecideRequest = {
  readonly site: Site
  readonly moderator: Official
  readonly comment: CommentKey
  /** The status that the moderator saw. */
  readonly from: Status
  readonly claim: Claim | undefined
} & Order

export type Decided = { readonly decision: Decision; readonly version: number | undefined }

/**
 * Moves a comment from the status that the moderator saw to another one. Of two moderators who saw
 * the same, exactly one succeeds; the other is refused with `decision_conflict`.
 */
export const decideComment = async <Answer>(
  world: World,
  request: DecideRequest,
  present: (decided: Decided) => Answer,
): Promise<Answer> => {
  assertMove(request.from, request.to)
  const { site, comment, claim } = request
  const isHide = !isVisible(request.to)
  const changes = { siteId: site.id, threadIds: [comment.threadId], isHide }
  return announcing(world, changes, () =>
    answerOnce(world, claim, async (tx) => present(await decide(tx, request))),
  )
}

const decide = async (tx: Tx, { site, comment, ...request }: DecideRequest): Promise<Decided> => {
  const place = { siteId: site.id, threadId: comment.threadId }
  await lockThread(tx, place, 'alone')
  const { settled, version } = await decideSome(tx, place, {
    wanted: [{ id: comment.id, seen: request.from }],
    order: request,
    by: { siteId: site.id, by: nameOf(request.moderator) },
  })
  return { decision: decisionOf(settled.get(comment.id)!), version }
}

/** Refuses as the outcome says. */
export const decisionOf = ({ outcome, decision }: Settled): Decision => {
  if (decision) return decision
  throw new Refusal(
    outcome === 'changed' || outcome === 'unchanged' ? 'decision_conflict' : outcome,
  )
}
