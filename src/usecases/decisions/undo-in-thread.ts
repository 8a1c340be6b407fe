import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import { isLatestStanding, type Outcome } from '../../domain/moderation/decision.ts'
import { restoreFlags } from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import type { Decision, DecisionOrigin } from '../../postgres/moderation/decisions.ts'
import { listUndoables, type Undoable } from '../../postgres/moderation/undo.ts'
import {
  type CascadedTransition,
  type DecisionResult,
  type DecisionResults,
  type ThreadKey,
  type TransitionRow,
  writeTransitions,
} from './decide-in-thread.ts'

/** A comment, and the decision on it to undo. */
export type UndoTarget = { readonly id: number; readonly undoes: number }

/**
 * Undoes decisions on statuses of comments in one thread, each without the decisions that it caused. The
 * caller holds the exclusive thread lock.
 */
export const undoInThread = async (
  tx: Tx,
  thread: ThreadKey,
  { targets, origin }: { targets: readonly UndoTarget[]; origin: DecisionOrigin },
): Promise<DecisionResults> => {
  const ids = targets.map(({ undoes }) => undoes)
  const found = await listUndoables(tx, thread, { ids, scope: 'alone' })
  const undoables = new Map(found.map((undoable) => [undoable.id, undoable]))
  const outcomes = targets.map(
    ({ id, undoes }) => [id, undoOutcomeOf(undoables.get(undoes))] as const,
  )
  const possible = found.filter((undoable) => undoOutcomeOf(undoable) === 'changed')
  const { decisions, version } = await undoStatuses(tx, thread, {
    targets: possible,
    cascaded: [],
    origin,
  })
  const results = new Map<number, DecisionResult>(
    outcomes.map(([id, outcome]) => [id, { outcome, decision: decisions.get(id) ?? null }]),
  )
  return { results, version }
}

/**
 * The outcome that an undo has: a decision on a status, a mark or a place can be undone while the comment is as
 * the decision left it.
 */
export const undoOutcomeOf = (target: Undoable | undefined): Outcome => {
  if (!target) return 'not_found'
  if (!isLatestStanding(target.id, target.later) || !isAsLeft(target)) return 'decision_conflict'
  if (target.action !== 'status') return 'changed'
  if (target.isAnswer) return 'move_not_allowed'
  return target.staysDeleted && target.from !== 'deleted' ? 'move_not_allowed' : 'changed'
}

/** A text that its author edited while it was hidden is published by a new decision, not by an undo. */
const isAsLeft = ({ action, comment, from, to, after, isEdited }: Undoable): boolean => {
  if (action === 'pin') return comment.pinned === after?.pinned
  if (action === 'lock') return comment.locked === after?.locked
  if (action === 'move') return (comment.parentId === 0) === (after?.parent_id === null)
  return comment.status === to && !(isEdited && from !== null && isVisible(from))
}

/**
 * Restores the statuses that decisions changed, the times of first publication and the flags.
 * @param cascaded the decisions that `targets` caused
 * @param causedBy the decision that causes the undos of `targets`; undefined if they were requested
 */
export const undoStatuses = async (
  tx: Tx,
  thread: ThreadKey,
  {
    targets,
    cascaded,
    origin,
    causedBy,
  }: {
    targets: readonly Undoable[]
    cascaded: readonly Undoable[]
    origin: DecisionOrigin
    causedBy?: number
  },
): Promise<{
  decisions: ReadonlyMap<number, Decision>
  version: number | undefined
  /** How many comments have their former status. */
  comments: number
}> => {
  const commentOf = new Map(targets.map(({ id, commentId }) => [id, commentId]))
  const { siteId, threadId } = thread
  const { decisions, versions } = await writeTransitions(tx, siteId, {
    requested: targets.map((target) => ({
      ...toTransitionRow(target, threadId),
      ...(causedBy !== undefined && { causedBy }),
    })),
    cascaded: cascaded.map(
      (undoable): CascadedTransition => ({
        ...toTransitionRow(undoable, threadId),
        causeId: commentOf.get(undoable.causedBy!)!,
      }),
    ),
    origin,
  })
  const undone = [...targets, ...cascaded].map((undoable) => ({
    ...undoable,
    undoneBy: decisions.get(undoable.commentId)!.id,
  }))
  if (undone.length > 0) await restoreFlags(tx, thread, undone)
  return { decisions, version: versions.get(threadId), comments: undone.length }
}

const toTransitionRow = (
  { id, comment, from, to, before }: Undoable,
  threadId: number,
): TransitionRow => ({
  comment,
  undoes: id,
  transition: {
    threadId,
    id: comment.id,
    from: to!,
    to: from!,
    ...(before &&
      'published_at' in before && { publishedAt: before.published_at as Instant | null }),
    shadowed: before && 'shadowed' in before ? before.shadowed === true : comment.shadowed,
  },
})
