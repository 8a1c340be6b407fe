import { nameOf, type Official } from '../../domain/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site.ts'
import { assertMove, isVisible, type Reason, type Status } from '../../domain/status.ts'
import { findCommentForWrite } from '../../postgres/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { lockThread } from '../../postgres/connection/transaction.ts'
import { type Decision, insertDecision, insertDecisions } from '../../postgres/decisions.ts'
import { resolveFlags } from '../../postgres/flags.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import { announcing } from '../announce.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'
import { changeStatus } from '../writing/change-status.ts'

export type DecideRequest = {
  readonly site: Site
  readonly moderator: Official
  readonly comment: CommentKey
  /** The status that the moderator saw. */
  readonly from: Status
  readonly to: Status
  readonly reason: Reason | null
  readonly note: string | null
  readonly replies: 'keep' | 'same'
  readonly claim: Claim | undefined
}

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

const decide = async (tx: Tx, request: DecideRequest): Promise<Decided> => {
  const { site, moderator, comment: key, from, to, reason, note, replies } = request
  await lockThread(tx, { siteId: site.id, threadId: key.threadId }, 'alone')
  const comment = await findCommentForWrite(tx, { siteId: site.id, ...key })
  if (!comment) throw new Refusal('not_found')
  if (comment.status !== from) throw new Refusal('decision_conflict')
  if (comment.isErased && to !== 'deleted') throw new Refusal('move_not_allowed')
  const { movedIds, version } = await changeStatus(tx, comment, { siteId: site.id, to, replies })
  const { threadId, id: commentId } = comment
  await resolveFlags(tx, { siteId: site.id, threadId, ids: [commentId, ...movedIds] })
  const why = { siteId: site.id, by: nameOf(moderator), reason, note }
  const decision = await insertDecision(tx, { ...why, threadId, commentId, from, to })
  const taken = movedIds.map((id) => ({ threadId, commentId: id, from, to, causedBy: decision.id }))
  if (taken.length > 0) await insertDecisions(tx, { ...why, at: decision.at }, taken)
  return { decision, version }
}
