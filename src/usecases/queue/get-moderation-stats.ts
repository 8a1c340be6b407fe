import { asking } from '../../postgres/connection/transaction.ts'
import {
  type DecisionFigures,
  figureDecisions,
  figureWaiting,
  type Waiting,
} from '../../postgres/moderation/stats.ts'
import type { World } from '../context.ts'

export type Figures = DecisionFigures & { readonly waiting: Waiting }

/** What was decided on a site in the last days, how soon, how often it was wrong, and what waits now. */
export const getFigures = async (
  world: World,
  request: { siteId: number; days: number },
): Promise<Figures> => {
  const [decisions, waiting] = await Promise.all([
    asking(figureDecisions(world.db, request)),
    asking(figureWaiting(world.db, request.siteId)),
  ])
  return { ...decisions, waiting }
}
