import { isVisible } from '../../domain/comment/status.ts'
import { isLatestStanding } from '../../domain/moderation/decision.ts'
import { callerIdOf } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { readStoredId } from '../../domain/stored-id.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, runQuery } from '../../postgres/connection/transaction.ts'
import { liftBan, renewBan } from '../../postgres/moderation/bans.ts'
import {
  findSubjectDecision,
  findUndoLocation,
  listUndoables,
} from '../../postgres/moderation/undo.ts'
import { record, undoTerms } from '../bans/bans.ts'
import type { Context } from '../context.ts'
import type { ThreadKey } from '../decisions/decide-in-thread.ts'
import { refusalOf } from '../decisions/decision-request.ts'
import { undoMarks } from '../decisions/marks.ts'
import { undoSettings } from '../decisions/thread-settings.ts'
import { undoOutcomeOf, undoStatuses } from '../decisions/undo-in-thread.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { undoMove } from './undo-move.ts'
import { assertRestores, type Undone, type UndoRequest } from './undo-request.ts'

/**
 * Undoes a decision. On a comment this also undoes the decisions that it caused and that still stand, and
 * restores statuses, times of publication, counts and flags. Refuses with `decision_conflict` if something
 * changed since the decision or nothing would be restored, and with `move_not_allowed` if it is final.
 */
export const undoDecision = async <Answer>(
  context: Context,
  request: UndoRequest,
  present: (undone: Undone) => Answer,
): Promise<Answer> => {
  const { site, decisionId, idempotencyKey } = request
  const found = await runQuery(findUndoLocation(context.db, site.id, decisionId))
  if (!found) throw new Refusal('not_found')
  const { action, threadId, from } = found
  if (action === 'move') return undoMove(context, request, present)
  if (action === 'ban' || action === 'unban')
    return runOnce(context, idempotencyKey, async (tx) =>
      present(await undoBan(tx, request, action)),
    )
  if (action === 'ban_update')
    return runOnce(context, idempotencyKey, async (tx) => present(await undoBanUpdate(tx, request)))
  const undo = UNDO_IN_THREAD[action]
  if (threadId === null || !undo) throw new Refusal('move_not_allowed')
  const thread = { siteId: site.id, threadId }
  const isHide = action === 'thread' || (from !== null && !isVisible(from))
  return withInvalidation(context, { siteId: site.id, threadIds: [threadId], isHide }, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      await acquireThreadLock(tx, thread, 'exclusive')
      return present(await undo(tx, thread, request))
    }),
  )
}

type UndoInThread = (tx: Tx, thread: ThreadKey, request: UndoRequest) => Promise<Undone>

const undoOnComment =
  (undo: typeof undoStatuses): UndoInThread =>
  async (tx, thread, { site, moderator, decisionId }) => {
    const found = await listUndoables(tx, thread, { ids: [decisionId], scope: 'consequences' })
    const target = found.find(({ id }) => id === decisionId)
    const outcome = undoOutcomeOf(target)
    if (!target || outcome !== 'changed') throw refusalOf(outcome)
    const cascaded = found.filter((one) => one !== target && undoOutcomeOf(one) === 'changed')
    const origin = { siteId: site.id, by: callerIdOf(moderator) }
    const { decisions, version, comments } = await undo(tx, thread, {
      targets: [target],
      cascaded,
      origin,
    })
    const restored = { comments, settings: 0 }
    assertRestores(restored)
    return { decision: decisions.get(target.commentId)!, version, restored }
  }

const undoOnThread: UndoInThread = async (tx, thread, { site, moderator, decisionId }) => {
  const origin = { siteId: site.id, by: callerIdOf(moderator) }
  const undone = await undoSettings(tx, thread, { decisionId, origin })
  const { outcome, decision, version, settings } = undone
  if (!decision) throw refusalOf(outcome)
  return { decision, version, restored: { comments: 0, settings } }
}

/** Actions that are undone under the lock of one thread. */
const UNDO_IN_THREAD: Partial<Record<string, UndoInThread>> = {
  status: undoOnComment(undoStatuses),
  pin: undoOnComment(undoMarks),
  lock: undoOnComment(undoMarks),
  thread: undoOnThread,
}

/**
 * Lifts a ban, or renews one that was lifted. Refuses with `decision_conflict` if the ban is in that
 * state already, or has expired. The ban's row is locked before the later decisions are read.
 */
const undoBan = async (
  tx: Tx,
  { site, moderator, decisionId }: UndoRequest,
  action: 'ban' | 'unban',
): Promise<Undone> => {
  const siteId = site.id
  const target = { id: decisionId, action }
  const { subject } = await findSubjectDecision(tx, siteId, target)
  const at = { siteId, id: readStoredId('ban', subject)! }
  const isLifted = action === 'ban'
  const lift = () => liftBan(tx, { ...at, by: callerIdOf(moderator) })
  const ban = await (isLifted ? lift() : renewBan(tx, at))
  if (!ban || ('wasLifted' in ban && ban.wasLifted)) throw new Refusal('decision_conflict')
  const { later } = await findSubjectDecision(tx, siteId, target)
  if (!isLatestStanding(decisionId, later)) throw new Refusal('decision_conflict')
  const decision = await record(tx, { site, moderator }, { ban, isLifted, undoes: decisionId })
  return { decision: decision!, version: undefined, restored: { comments: 0, settings: 1 } }
}

/** Restores what a change of a ban replaced. Refuses with `decision_conflict` if it changed since. */
const undoBanUpdate = async (
  tx: Tx,
  { site, moderator, decisionId }: UndoRequest,
): Promise<Undone> => {
  const target = { id: decisionId, action: 'ban_update' } as const
  const { subject, before, after, later } = await findSubjectDecision(tx, site.id, target)
  if (!isLatestStanding(decisionId, later)) throw new Refusal('decision_conflict')
  const change = {
    id: readStoredId('ban', subject)!,
    undoes: decisionId,
    before: before!,
    after: after!,
  }
  const decision = await undoTerms(tx, { site, moderator }, change)
  const restored = { comments: 0, settings: Object.keys(change.before).length }
  return { decision, version: undefined, restored }
}
