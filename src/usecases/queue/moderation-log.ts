import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  listDecisions as findDecisions,
  type ModerationLogPage,
  type ModerationLogRequest,
} from '../../postgres/moderation/moderation-log.ts'
import {
  countDecisions,
  countWaiting,
  type DecisionCounts,
  type WaitingCounts,
} from '../../postgres/moderation/stats.ts'
import type { Context } from '../context.ts'

export type { Decision } from '../../postgres/moderation/decisions.ts'

/** Decisions of a site, latest first. A page can be short, or empty, before the end. */
export const listDecisions = (
  context: Context,
  request: ModerationLogRequest,
): Promise<ModerationLogPage> => runQuery(findDecisions(context.db, request))

export type ModerationStats = DecisionCounts & { readonly waiting: WaitingCounts }

/** Counts the decisions of the last days, the time they took and the corrections, and what waits now. */
export const getModerationStats = async (
  context: Context,
  request: { siteId: number; days: number },
): Promise<ModerationStats> => {
  const [decisions, waiting] = await Promise.all([
    runQuery(countDecisions(context.db, request)),
    runQuery(countWaiting(context.db, request.siteId)),
  ])
  return { ...decisions, waiting }
}
