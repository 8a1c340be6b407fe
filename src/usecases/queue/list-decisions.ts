import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  listDecisions as findDecisions,
  type ModerationLogPage,
  type ModerationLogRequest,
} from '../../postgres/moderation/moderation-log.ts'
import type { Context } from '../context.ts'

export type { Decision } from '../../postgres/moderation/decisions.ts'

/** The audit trail, latest first. A page can be short, or empty, before the end. */
export const listDecisions = (
  context: Context,
  request: ModerationLogRequest,
): Promise<ModerationLogPage> => runQuery(findDecisions(context.db, request))
