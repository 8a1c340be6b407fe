import type { Instant } from '../../domain/instant.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findModerationState } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'

export type ModerationState = {
  readonly policyVersion: number
  /** Null: not everything is held. */
  readonly attack: { readonly since: Instant; readonly until: Instant } | null
}

/** How the site judges at this moment. */
export const getModerationState = async (
  context: Context,
  siteId: number,
): Promise<ModerationState> => {
  const found = await runQuery(findModerationState(context.db, siteId))
  const { policyVersion, since, until } = found
  return { policyVersion, attack: since === null || until === null ? null : { since, until } }
}
