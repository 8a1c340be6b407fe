import { asking } from '../../postgres/connection/transaction.ts'
import {
  listDecisions as findDecisions,
  type TrailPage,
  type TrailRequest,
} from '../../postgres/moderation/moderation-log.ts'
import type { World } from '../context.ts'

export type { Decision } from '../../postgres/moderation/decisions.ts'

/** The audit trail, latest first. A page can be short, or empty, before the end. */
export const listDecisions = (world: World, request: TrailRequest): Promise<TrailPage> =>
  asking(findDecisions(world.db, request))
