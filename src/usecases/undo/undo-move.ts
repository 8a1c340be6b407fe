import { branchesOf } from '../../domain/comment/branch.ts'
import { callerIdOf } from '../../domain/people/caller.ts'
import { readCommentId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import { listMovers } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { insertDecision, insertDecisions } from '../../postgres/moderation/decisions.ts'
import {
  findMoveDecision,
  isMoveSuperseded,
  listMergedRoots,
  type MoveDecision,
} from '../../postgres/moderation/undo-moves.ts'
import { reopenThread } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import type { Decided } from '../decisions/decide-comment.ts'
import { withInvalidation } from '../invalidate.ts'
import { acquireThreadLocks, moveSubtree, moveTrees } from '../moving/move-branch.ts'
import { runOnce } from '../run-once.ts'
import type { UndoRequest } from './undo-decision.ts'

/**
 * Brings back what was moved, with all that hangs below it by now; of a merge, what nobody has moved
 * since. Refuses with `decision_conflict` when it is elsewhere by now, or its old parent is.
 */
export const undoMove = async <Answer>(
  context: Context,
  request: UndoRequest,
  present: (decided: Decided) => Answer,
): Promise<Answer> => {
  const { site, decisionId, claim } = request
  const move = await runQuery(findMoveDecision(context.db, site.id, decisionId))
  if (!move) throw new Refusal('not_found')
  const changes = { siteId: site.id, threadIds: [move.from, move.to], isHide: true }
  return withInvalidation(context, changes, () =>
    runOnce(context, claim, async (tx) => {
      await acquireThreadLocks(tx, site.id, changes.threadIds)
      if (await isMoveSuperseded(tx, site.id, move)) throw new Refusal('decision_conflict')
      return present(await (move.commentId === null ? unmerge : moveBack)(tx, request, move))
    }),
  )
}

const toRow = ({ id, before, after }: MoveDecision) =>
  ({ action: 'move', undoes: id, before: after, after: before }) as const

const moveBack = async (
  tx: Tx,
  { site, moderator }: UndoRequest,
  move: MoveDecision,
): Promise<Decided> => {
  const { from, to, before } = move
  const commentId = move.commentId!
  const top = await findCommentForWrite(tx, { siteId: site.id, threadId: to, id: commentId })
  if (!top) throw new Refusal('decision_conflict')
  const parent = before.parent_id === null ? undefined : readCommentId(before.parent_id)!
  const back = { threadId: from, parent, isReturn: true }
  const version = await moveSubtree(tx, site, { top, to: back }).catch((error: unknown) => {
    const isGone = error instanceof Refusal && error.code === 'parent_not_found'
    throw isGone ? new Refusal('decision_conflict') : error
  })
  const place = { siteId: site.id, threadId: from, commentId }
  const decision = await insertDecision(tx, { ...place, by: callerIdOf(moderator), ...toRow(move) })
  return { decision, version }
}

const unmerge = async (
  tx: Tx,
  { site, moderator }: UndoRequest,
  move: MoveDecision,
): Promise<Decided> => {
  const siteId = site.id
  const { from, to, subject, before, after } = move
  const roots = await listMergedRoots(tx, siteId, move)
  const rootIds = roots.map(({ commentId }) => commentId)
  const members = await listMovers(tx, { siteId, threadId: to }, rootIds[0] ?? 0)
  const movers = branchesOf(rootIds, members)
  const version = await moveTrees(tx, siteId, { from: to, to: from, movers })
  if (before.state === 'open') await reopenThread(tx, siteId, from)
  const by = { siteId, by: callerIdOf(moderator) }
  const decision = await insertDecision(tx, { ...by, subject, ...toRow(move) })
  const rows = roots.map(({ id, commentId }) => ({
    action: 'move' as const,
    threadId: from,
    commentId,
    undoes: id,
    causedBy: decision.id,
    before: { article_id: after.article_id, parent_id: null },
    after: { article_id: before.article_id, parent_id: null },
  }))
  if (rows.length > 0) await insertDecisions(tx, { ...by, at: decision.at }, rows)
  return { decision, version }
}
