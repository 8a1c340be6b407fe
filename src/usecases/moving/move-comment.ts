import { isVisible, type Reason } from '../../domain/comment/status.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedCommentId } from '../../domain/stored-id.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  ensureThread,
  findThreadForWrite,
  findThreadId,
  findThreadSettings,
} from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import type { Decided } from '../decisions/decision-request.ts'
import { lockBranch } from '../decisions/marks.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { acquireThreadLocks, assertMayPublish, moveBranch } from './move-branch.ts'

export type MoveRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly comment: CommentKey
  readonly articleId: string
  /** Undefined: the comment becomes a root. Null: the parent's id names no possible comment. */
  readonly parent: CommentKey | null | undefined
  readonly reason: Reason | null
  readonly note: string | null
  /** Whether readers may see comments of a thread that is hidden. */
  readonly publish: boolean
  readonly idempotencyKey: IdempotencyKey | undefined
}

/**
 * Moves a branch to another thread, which is created if missing, or to another parent in its thread. The
 * comments keep their ids. Below a locked comment they are locked. Out of a hidden thread they come only
 * with `publish`.
 */
export const moveComment = async <Answer>(
  context: Context,
  request: MoveRequest,
  present: (moved: Decided) => Answer,
): Promise<Answer> => {
  const { site, comment, articleId, idempotencyKey } = request
  const known = await runQuery(findThreadId(context.db, site.id, articleId))
  const threadIds = [comment.threadId, ...(known === undefined ? [] : [known])]
  return withInvalidation(context, { siteId: site.id, threadIds, isHide: true }, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      const to = await ensureThread(tx, site.id, articleId)
      if (to !== known) threadIds.push(to)
      return present(await move(tx, request, to))
    }),
  )
}

const move = async (tx: Tx, request: MoveRequest, to: number): Promise<Decided> => {
  const { site, moderator, comment: key, parent, reason, note, publish } = request
  const siteId = site.id
  await acquireThreadLocks(tx, site.id, [key.threadId, to])
  const top = await findCommentForWrite(tx, { siteId: site.id, ...key })
  if (!top) throw new Refusal('not_found')
  const from = await findThreadSettings(tx, siteId, top.threadId)
  const target = await findThreadSettings(tx, siteId, to)
  const { articleId } = (await findThreadForWrite(tx, siteId, to))!
  const moved = await moveBranch(tx, site, { top, destination: { threadId: to, parent } })
  const hasVisible = moved.movers.some(({ status }) => isVisible(status))
  assertMayPublish(hasVisible, { from: from.state, to: target.state, publish })
  const origin = { siteId, by: callerIdOf(moderator), reason, note }
  const decision = await insertDecision(tx, {
    ...origin,
    action: 'move',
    threadId: to,
    commentId: top.id,
    before: locationOf(top),
    after: { article_id: articleId, parent_id: parent ? storedCommentId(parent) : null },
  })
  if (moved.parent?.locked !== true) return { decision, version: moved.version }
  const cause = { origin: { ...origin, at: decision.at }, causedBy: decision.id }
  const locked = await lockBranch(tx, { siteId, threadId: to }, { ...moved, ...cause })
  return { decision, version: locked.version ?? moved.version }
}

const locationOf = ({
  articleId,
  threadId,
  parentId,
  parentHomeThreadId: homeThreadId,
}: CommentForWrite) => ({
  article_id: articleId,
  parent_id: parentId === 0 ? null : storedCommentId({ threadId, id: parentId, homeThreadId }),
})
