import { callerIdOf } from '../../domain/people/caller.ts'
import { readBanId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { liftBan, renewBan } from '../../postgres/moderation/bans.ts'
import { lockUndoTarget } from '../../postgres/moderation/undo.ts'
import { record } from '../bans/bans.ts'
import type { Context } from '../context.ts'
import type { Decided } from '../decisions/decide-comment.ts'
import { runOnce } from '../run-once.ts'
import type { UndoRequest } from './undo-decision.ts'

/**
 * Lifts what was banned, or bans again as before what was lifted. Refuses with `decision_conflict` when
 * that is so already, or the ban cannot be in force any more.
 */
export const undoBan = <Answer>(
  context: Context,
  { site, moderator, decisionId, claim }: UndoRequest,
  present: (decided: Decided) => Answer,
): Promise<Answer> =>
  runOnce(context, claim, async (tx) => {
    const siteId = site.id
    const { action, subject } = await lockUndoTarget(tx, siteId, decisionId)
    const at = { siteId, id: readBanId(subject)! }
    const isLifted = action === 'ban'
    const lift = () => liftBan(tx, { ...at, by: callerIdOf(moderator) })
    const ban = await (isLifted ? lift() : renewBan(tx, at))
    if (!ban || ('wasLifted' in ban && ban.wasLifted)) throw new Refusal('decision_conflict')
    const { isUndone } = await lockUndoTarget(tx, siteId, decisionId)
    if (isUndone) throw new Refusal('decision_conflict')
    const decision = await record(tx, { site, moderator }, { ban, isLifted, undoes: decisionId })
    return present({ decision: decision!, version: undefined })
  })
