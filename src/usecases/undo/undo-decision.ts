import { isVisible } from '../../domain/comment/status.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, runQuery } from '../../postgres/connection/transaction.ts'
import { findDecisionPlace, listUndoables } from '../../postgres/moderation/undo.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { type Decided, decisionOf } from '../decisions/decide-comment.ts'
import type { ThreadKey } from '../decisions/decide-in-thread.ts'
import { undoMarks } from '../decisions/mark-all.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { undoBan } from './undo-ban.ts'
import { undoAll, undoOutcomeOf } from './undo-in-thread.ts'
import { undoMove } from './undo-move.ts'
import { undoThread } from './undo-thread.ts'

export type UndoRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly decisionId: number
  readonly claim: IdempotencyKey | undefined
}

/**
 * Takes a decision back. Of one on a comment, with what it took along where that has not been decided on
 * since: statuses, times of publication, counts and flags are as they were. Refuses with
 * `decision_conflict` what is no longer as the decision left it, and with `move_not_allowed` what is for good.
 */
export const undoDecision = async <Answer>(
  context: Context,
  request: UndoRequest,
  present: (decided: Decided) => Answer,
): Promise<Answer> => {
  const { site, decisionId, claim } = request
  const found = await runQuery(findDecisionPlace(context.db, site.id, decisionId))
  if (!found) throw new Refusal('not_found')
  if (found.action === 'move') return undoMove(context, request, present)
  if (found.action === 'ban' || found.action === 'unban') return undoBan(context, request, present)
  const { threadId } = found
  if (found.action === 'thread' && threadId !== null)
    return undoThread(context, { ...request, threadId }, present)
  const undoing = UNDOING[found.action]
  if (threadId === null || !undoing) throw new Refusal('move_not_allowed')
  const isHide = found.from !== null && !isVisible(found.from)
  return withInvalidation(context, { siteId: site.id, threadIds: [threadId], isHide }, () =>
    runOnce(context, claim, async (tx) =>
      present(await undo(tx, { siteId: site.id, threadId }, { ...request, undoing })),
    ),
  )
}

const undo = async (
  tx: Tx,
  place: ThreadKey,
  { site, moderator, decisionId, undoing }: UndoRequest & { undoing: typeof undoAll },
): Promise<Decided> => {
  await acquireThreadLock(tx, place, 'exclusive')
  const found = await listUndoables(tx, place, { ids: [decisionId], scope: 'consequences' })
  const target = found.find(({ id }) => id === decisionId)
  const outcome = undoOutcomeOf(target)
  if (!target || outcome !== 'changed')
    return { decision: decisionOf({ outcome, decision: null }), version: undefined }
  const taken = found.filter((one) => one !== target && undoOutcomeOf(one) === 'changed')
  const by = { siteId: site.id, by: callerIdOf(moderator) }
  const { decisions, version } = await undoing(tx, place, { ready: [target], taken, by })
  return { decision: decisions.get(target.commentId)!, version }
}

/** How acts on comments are taken back. */
const UNDOING: Partial<Record<string, typeof undoAll>> = {
  status: undoAll,
  pin: undoMarks,
  lock: undoMarks,
}
