import { branchesOf } from '../../domain/comment/branch.ts'
import { callerIdOf } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { readStoredCommentId } from '../../domain/stored-id.ts'
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
} from '../../postgres/moderation/undo.ts'
import { findThreadSettings, reopenThread, restoreThread } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import type { Decided } from '../decisions/decide-comment.ts'
import { withInvalidation } from '../invalidate.ts'
import { acquireThreadLocks, moveBranch, moveRootBranches } from '../moving/move-branch.ts'
import { runOnce } from '../run-once.ts'
import type { UndoRequest } from './undo-request.ts'

/**
 * Moves a branch back to where it was, replies added since included; of a merge, the root comments that
 * were not moved again. Refuses with `decision_conflict` if the comment or its old parent was moved since.
 */
export const undoMove = async <Answer>(
  context: Context,
  request: UndoRequest,
  present: (decided: Decided) => Answer,
): Promise<Answer> => {
  const { site, decisionId, idempotencyKey } = request
  const move = await runQuery(findMoveDecision(context.db, site.id, decisionId))
  if (!move) throw new Refusal('not_found')
  const invalidated = { siteId: site.id, threadIds: [move.from, move.to], isHide: true }
  return withInvalidation(context, invalidated, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      await acquireThreadLocks(tx, site.id, invalidated.threadIds)
      if (await isMoveSuperseded(tx, site.id, move)) throw new Refusal('decision_conflict')
      return present(await (move.commentId === null ? undoMerge : moveBack)(tx, request, move))
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
  const parent = before.parent_id === null ? undefined : readStoredCommentId(before.parent_id)!
  const destination = { threadId: from, parent, isReturn: true }
  const version = await moveBranch(tx, site, { top, destination }).catch((error: unknown) => {
    const isGone = error instanceof Refusal && error.code === 'parent_not_found'
    throw isGone ? new Refusal('decision_conflict') : error
  })
  const decision = await insertDecision(tx, {
    siteId: site.id,
    threadId: from,
    commentId,
    by: callerIdOf(moderator),
    ...toRow(move),
  })
  return { decision, version }
}

/** Restores the settings that a merge changed in its target, unless they were changed again since. */
const restoreTarget = async (
  tx: Tx,
  siteId: number,
  { to, before: { into: before = {} }, after: { into: after = {} } }: MoveDecision,
): Promise<void> => {
  const settings = await findThreadSettings(tx, siteId, to)
  const names = Object.keys(before).filter((name) => settings[name] === after[name])
  if (names.length === 0) return
  const restored = Object.fromEntries(names.map((name) => [name, before[name]]))
  await restoreThread(tx, siteId, to, { ...settings, ...restored })
}

const undoMerge = async (
  tx: Tx,
  { site, moderator }: UndoRequest,
  move: MoveDecision,
): Promise<Decided> => {
  const siteId = site.id
  const { from, to, subject, before, after } = move
  const roots = await listMergedRoots(tx, siteId, move)
  const rootIds = roots.map(({ commentId }) => commentId)
  const nodes = await listMovers(tx, { siteId, threadId: to }, rootIds[0] ?? 0)
  const movers = branchesOf(rootIds, nodes)
  const version = await moveRootBranches(tx, siteId, { from: to, to: from, movers })
  await restoreTarget(tx, siteId, move)
  if (before.state === 'open') await reopenThread(tx, siteId, from)
  const origin = { siteId, by: callerIdOf(moderator) }
  const decision = await insertDecision(tx, { ...origin, subject, ...toRow(move) })
  const rows = roots.map(({ id, commentId }) => ({
    action: 'move' as const,
    threadId: from,
    commentId,
    undoes: id,
    causedBy: decision.id,
    before: { article_id: after.article_id, parent_id: null },
    after: { article_id: before.article_id, parent_id: null },
  }))
  if (rows.length > 0) await insertDecisions(tx, { ...origin, at: decision.at }, rows)
  return { decision, version }
}
