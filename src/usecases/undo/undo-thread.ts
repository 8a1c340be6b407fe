import { callerIdOf } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { lockUndoTarget } from '../../postgres/moderation/undo.ts'
import { findThreadSettings, restoreThread } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import type { Decided } from '../decisions/decide-comment.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import type { UndoRequest } from './undo-decision.ts'

type OfThread = UndoRequest & { readonly threadId: number }

/**
 * Gives a thread back the settings that a decision changed. Refuses with `decision_conflict` when one of
 * them is no longer as it left them.
 */
export const undoThread = <Answer>(
  context: Context,
  request: OfThread,
  present: (decided: Decided) => Answer,
): Promise<Answer> => {
  const changes = { siteId: request.site.id, threadIds: [request.threadId], isHide: true }
  return withInvalidation(context, changes, () =>
    runOnce(context, request.claim, async (tx) => present(await undo(tx, request))),
  )
}

const undo = async (
  tx: Tx,
  { site: { id: siteId }, moderator, decisionId, threadId }: OfThread,
): Promise<Decided> => {
  await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  const { subject, before, after, isUndone } = await lockUndoTarget(tx, siteId, decisionId)
  const now = await findThreadSettings(tx, siteId, threadId)
  const isAsLeft = Object.entries(after ?? {}).every(([name, value]) => now[name] === value)
  if (isUndone || !isAsLeft) throw new Refusal('decision_conflict')
  const version = await restoreThread(tx, siteId, threadId, { ...now, ...before })
  const decision = await insertDecision(tx, {
    siteId,
    action: 'thread',
    threadId,
    subject,
    by: callerIdOf(moderator),
    before: after,
    after: before,
    undoes: decisionId,
  })
  return { decision, version: version > 0 ? version : undefined }
}
