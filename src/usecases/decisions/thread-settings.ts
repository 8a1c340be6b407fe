import type { ThreadState } from '../../domain/comment/comment.ts'
import { differenceOf, isLatestStanding, type Outcome } from '../../domain/moderation/decision.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  type Decision,
  type DecisionOrigin,
  insertDecision,
} from '../../postgres/moderation/decisions.ts'
import { findSubjectDecision } from '../../postgres/moderation/undo.ts'
import { isAnyThreadDeleted } from '../../postgres/threads/deletion.ts'
import {
  updateThread as changeThread,
  findThreadForWrite,
  findThreadSettings,
  type ModeratedThread,
  restoreThread,
  type ThreadChange,
} from '../../postgres/threads/threads.ts'
import type { ThreadKey } from './change-status.ts'
import type { DecisionResult } from './decide-in-thread.ts'

/**
 * Changes settings of a thread, with a decision that records the difference. The caller holds the exclusive
 * thread lock.
 */
export const changeSettings = async (
  tx: Tx,
  { siteId, threadId, articleId }: ThreadKey & { readonly articleId: string },
  { change, origin }: { change: ThreadChange; origin: DecisionOrigin },
): Promise<{ thread: ModeratedThread; decision: Decision }> => {
  const before = await findThreadSettings(tx, siteId, threadId)
  const thread = await changeThread(tx, siteId, threadId, change)
  const after = await findThreadSettings(tx, siteId, threadId)
  const difference = differenceOf(before, after)
  const decided = { action: 'thread', threadId, subject: articleId, ...difference } as const
  return { thread, decision: await insertDecision(tx, { ...origin, ...decided }) }
}

/** The outcome that a request has for a thread. */
export const stateOutcomeOf = (
  state: ThreadState | null,
  { seen, to }: { seen: ThreadState | null; to: ThreadState },
): Outcome => {
  if (state === null) return 'not_found'
  if (seen !== null && state !== seen) return 'decision_conflict'
  return state === to ? 'unchanged' : 'changed'
}

/** Gives a thread another state, if it still has the state that was seen. The caller holds the exclusive thread lock. */
export const decideState = async (
  tx: Tx,
  { siteId, threadId }: ThreadKey,
  { seen, to, origin }: { seen: ThreadState | null; to: ThreadState; origin: DecisionOrigin },
): Promise<DecisionResult> => {
  const thread = await findThreadForWrite(tx, siteId, threadId)
  const outcome = stateOutcomeOf(thread?.state ?? null, { seen, to })
  if (!thread || outcome !== 'changed') return { outcome, decision: null }
  const at = { siteId, threadId, articleId: thread.articleId }
  const { decision } = await changeSettings(tx, at, { change: { state: to }, origin })
  return { outcome, decision }
}

/** `version`: undefined if readers have never seen the thread. `settings`: how many have their former values. */
export type RestoredSettings = DecisionResult & {
  readonly version: number | undefined
  readonly settings: number
}

/**
 * Restores the settings that a decision changed, if all of them are as it left them. The caller holds the
 * exclusive thread lock.
 */
export const undoSettings = async (
  tx: Tx,
  { siteId, threadId }: ThreadKey,
  { decisionId, origin }: { decisionId: number; origin: DecisionOrigin },
): Promise<RestoredSettings> => {
  const refused = (outcome: Outcome) => ({
    outcome,
    decision: null,
    version: undefined,
    settings: 0,
  })
  if (await isAnyThreadDeleted(tx, siteId, [threadId])) return refused('not_found')
  const found = await findSubjectDecision(tx, siteId, { id: decisionId, action: 'thread' })
  const { subject, before, after, later } = found
  const settings = await findThreadSettings(tx, siteId, threadId)
  const isAsLeft = Object.entries(after ?? {}).every(([name, value]) => settings[name] === value)
  const isChange = Object.keys(before ?? {}).length > 0
  if (!isLatestStanding(decisionId, later) || !isAsLeft || !isChange)
    return refused('decision_conflict')
  const version = await restoreThread(tx, siteId, threadId, { ...settings, ...before })
  const decision = await insertDecision(tx, {
    ...origin,
    action: 'thread',
    threadId,
    subject,
    before: after,
    after: before,
    undoes: decisionId,
  })
  return {
    outcome: 'changed',
    decision,
    version: version > 0 ? version : undefined,
    settings: Object.keys(before ?? {}).length,
  }
}
