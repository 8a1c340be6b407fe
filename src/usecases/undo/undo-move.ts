import { branchesOf } from '../../domain/comment/branch.ts'
import { isLatestStanding } from '../../domain/moderation/decision.ts'
import { callerIdOf } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { readStoredCommentId } from '../../domain/stored-id.ts'
import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import { listPlaced } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import {
  findMoveDecision,
  findSubjectDecision,
  isLockedSince,
  listUndoables,
  type MoveDecision,
  type Undoable,
} from '../../postgres/moderation/undo.ts'
import type { Context } from '../context.ts'
import type { ThreadKey } from '../decisions/decide-in-thread.ts'
import { lockBranch, type MarkDecisions, type MarkOrigin, undoMarks } from '../decisions/marks.ts'
import { undoOutcomeOf } from '../decisions/undo-in-thread.ts'
import { withInvalidation } from '../invalidate.ts'
import { mergeBranches } from '../moving/merge-steps.ts'
import {
  acquireThreadLocks,
  MAX_MOVED,
  type MovedBranch,
  moveBranch,
} from '../moving/move-branch.ts'
import { decisionIdsOf, restoreSettings, restoreSource, toRow } from '../moving/undo-merge.ts'
import { runOnce } from '../run-once.ts'
import { assertRestores, type Undone, type UndoRequest } from './undo-request.ts'

/**
 * Moves a branch back to where it was, replies added since included; of a merge, the root comments whose
 * later moves were all undone. Refuses with `decision_conflict` if a later move of the comment stands, if its
 * old parent is elsewhere, and if no comment of the merge would come back. A merge that is a batch is undone
 * by `undoBatch`.
 */
export const undoMove = async <Answer>(
  context: Context,
  request: UndoRequest,
  present: (undone: Undone) => Answer,
): Promise<Answer> => {
  const { site, decisionId, idempotencyKey } = request
  const move = await runQuery(findMoveDecision(context.db, site.id, decisionId))
  if (!move) throw new Refusal('not_found')
  if (move.commentId === null && move.batchId !== null) throw new Refusal('move_not_allowed')
  const threadIds = [move.from, move.to]
  const invalidated = { siteId: site.id, threadIds, isHide: true }
  return withInvalidation(context, invalidated, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      if (move.commentId === null) threadIds.push(...(await restoreSource(tx, site.id, move)))
      await acquireThreadLocks(tx, site.id, [move.from, move.to])
      const at = { siteId: site.id, threadId: move.to }
      const found = await listUndoables(tx, at, { ids: [move.id], scope: 'consequences' })
      const standing = found.filter((one) => undoOutcomeOf(one) === 'changed')
      return present(
        await (move.commentId === null ? undoMerge : moveBack)(tx, request, { move, standing }),
      )
    }),
  )
}

/** `standing`: the decision and its consequences, without those that were undone or decided over. */
type ToUndo = { readonly move: MoveDecision; readonly standing: readonly Undoable[] }

const moveBack = async (
  tx: Tx,
  { site, moderator }: UndoRequest,
  { move, standing }: ToUndo,
): Promise<Undone> => {
  const { from, to, before } = move
  const siteId = site.id
  const commentId = move.commentId!
  if (!standing.some(({ id }) => id === move.id)) throw new Refusal('decision_conflict')
  const top = (await findCommentForWrite(tx, { siteId, threadId: to, id: commentId }))!
  const parent = before.parent_id === null ? undefined : readStoredCommentId(before.parent_id)!
  const destination = { threadId: from, parent, isReturn: true }
  const moved = await moveBranch(tx, site, { top, destination }).catch((error: unknown) => {
    const isGone = error instanceof Refusal && error.code === 'parent_not_found'
    throw isGone ? new Refusal('decision_conflict') : error
  })
  const origin = { siteId, by: callerIdOf(moderator) }
  const decision = await insertDecision(tx, {
    ...origin,
    threadId: from,
    commentId,
    ...toRow(move),
  })
  const locks = await restoreLocks(
    tx,
    { siteId, threadId: from },
    {
      move,
      moved,
      standing,
      cause: { origin: { ...origin, at: decision.at }, causedBy: decision.id },
    },
  )
  const version = locks.version ?? moved.version
  return { decision, version, restored: { comments: moved.movers.length, settings: 0 } }
}

/**
 * Unlocks what was locked because it was moved below a locked comment. If the old parent was locked in the
 * meantime, locks the branch instead.
 */
const restoreLocks = async (
  tx: Tx,
  thread: ThreadKey,
  { move, moved, standing, cause }: ToUndo & { moved: MovedBranch; cause: MarkOrigin },
): Promise<MarkDecisions> => {
  const { parent, movers } = moved
  const since = parent && { commentId: parent.id, decisionId: move.id }
  if (since && parent.locked && (await isLockedSince(tx, thread.siteId, since)))
    return lockBranch(tx, thread, { movers, ...cause })
  const movedIds = new Set(movers.map(({ id }) => id))
  const targets = standing.filter(
    ({ action, commentId }) => action === 'lock' && movedIds.has(commentId),
  )
  return undoMarks(tx, thread, { targets, cascaded: [], ...cause })
}

/** Moves the roots of a merge back, as far as their later moves were all undone. */
const undoMerge = async (
  tx: Tx,
  { site, moderator }: UndoRequest,
  { move, standing }: ToUndo,
): Promise<Undone> => {
  const siteId = site.id
  const { from, to, subject } = move
  const { later } = await findSubjectDecision(tx, siteId, { id: move.id, action: 'move' })
  const roots = standing
    .filter(({ action }) => action === 'move')
    .toSorted((a, b) => a.commentId - b.commentId)
  if (!isLatestStanding(move.id, later) || (move.hasMoved && roots.length === 0))
    throw new Refusal('decision_conflict')
  const rootIds = roots.map(({ commentId }) => commentId)
  const fromId = roots[0]?.commentId
  const at = { siteId, threadId: to }
  const movers =
    fromId === undefined ? [] : branchesOf(rootIds, await listPlaced(tx, at, { fromId }))
  if (movers.length > MAX_MOVED) throw new Refusal('move_not_allowed')
  const by = callerIdOf(moderator)
  const decision = await insertDecision(tx, { siteId, by, subject, ...toRow(move) })
  const undoes = decisionIdsOf(roots)
  const back = { siteId, from: to, to: from, movers, merge: decision, undoes }
  const version = await mergeBranches(tx, back)
  const restored = { comments: movers.length, settings: await restoreSettings(tx, siteId, move) }
  assertRestores(restored)
  return { decision, version, restored }
}
