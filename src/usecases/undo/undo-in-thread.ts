import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import { isLatestStanding, type Outcome } from '../../domain/moderation/decision.ts'
import { restoreFlags } from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import type { Decision, DecisionBy } from '../../postgres/moderation/decisions.ts'
import { listUndoables, type Undoable } from '../../postgres/moderation/undo.ts'
import {
  type CascadedTransition,
  type DecisionResult,
  type DecisionResults,
  type ThreadKey,
  type TransitionRow,
  writeTransitions,
} from '../decisions/decide-in-thread.ts'

/** A comment, and the decision on it that is to be taken back. */
export type ToUndo = { readonly id: number; readonly undoes: number }

/**
 * Takes decisions on statuses back, each on its own: comments of one thread, which is held alone, get
 * back what the decisions took from them.
 */
export const undoInThread = async (
  tx: Tx,
  place: ThreadKey,
  { wanted, by }: { wanted: readonly ToUndo[]; by: DecisionBy },
): Promise<DecisionResults> => {
  const ids = wanted.map(({ undoes }) => undoes)
  const found = await listUndoables(tx, place, { ids, scope: 'alone' })
  const targets = new Map(found.map((target) => [target.id, target]))
  const outcomes = wanted.map(({ id, undoes }) => [id, undoOutcomeOf(targets.get(undoes))] as const)
  const ready = found.filter((target) => undoOutcomeOf(target) === 'changed')
  const { decisions, version } = await undoAll(tx, place, { ready, taken: [], by })
  const settled = new Map<number, DecisionResult>(
    outcomes.map(([id, outcome]) => [id, { outcome, decision: decisions.get(id) ?? null }]),
  )
  return { settled, version }
}

/** Whether a decision can be taken back: nothing has changed since what it changed. */
export const undoOutcomeOf = (target: Undoable | undefined): Outcome => {
  if (!target) return 'not_found'
  if (!isLatestStanding(target.id, target.later) || !isAsLeft(target)) return 'decision_conflict'
  if (target.isAnswer) return 'move_not_allowed'
  return target.isErased && target.from !== 'deleted' ? 'move_not_allowed' : 'changed'
}

/** What was written while it was hidden goes to readers by a decision of its own. */
const isAsLeft = ({ action, comment, from, to, after, isEdited }: Undoable): boolean => {
  if (action === 'pin') return comment.pinned === after?.pinned
  if (action === 'lock') return comment.locked === after?.locked
  return comment.status === to && !(isEdited && from !== null && isVisible(from))
}

/**
 * Gives comments back the statuses that decisions took from them, with when they were published and the
 * flags that counted.
 * @param targets `taken`: what those that are `ready` have caused
 */
export const undoAll = async (
  tx: Tx,
  place: ThreadKey,
  targets: { ready: readonly Undoable[]; taken: readonly Undoable[]; by: DecisionBy },
): Promise<{ decisions: ReadonlyMap<number, Decision>; version: number | undefined }> => {
  const { ready, by } = targets
  const causes = new Map(ready.map(({ id, commentId }) => [id, commentId]))
  const taken = targets.taken.map(
    (target): CascadedTransition => ({ ...toAct(target), causeId: causes.get(target.causedBy!)! }),
  )
  const { decisions, version } = await writeTransitions(tx, place, {
    tops: ready.map(toAct),
    taken,
    by,
  })
  const all = [...ready, ...targets.taken]
  if (all.length > 0)
    await restoreFlags(
      tx,
      place,
      all.map((one) => ({ ...one, undoneBy: decisions.get(one.commentId)!.id })),
    )
  return { decisions, version }
}

const toAct = ({ id, comment, from, to, before }: Undoable): TransitionRow => ({
  comment,
  undoes: id,
  move: {
    id: comment.id,
    from: to!,
    to: from!,
    ...(before &&
      'published_at' in before && {
        publishedAt: before.published_at as Instant | null,
      }),
  },
})
