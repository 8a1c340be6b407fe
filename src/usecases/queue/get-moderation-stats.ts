import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  countDecisions,
  countWaiting,
  type DecisionCounts,
  type WaitingComments,
} from '../../postgres/moderation/stats.ts'
import type { Context } from '../context.ts'

export type ModerationStats = DecisionCounts & { readonly waiting: WaitingComments }

/** What was decided on a site in the last days, how soon, how often it was wrong, and what waits now. */
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
