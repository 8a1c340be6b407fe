import type { Instant } from '../domain/instant.ts'
import type { Policy } from '../domain/screening/policy.ts'
import type { Db } from './connection/db.ts'

/** What a site went by, from this version on. */
export type PolicyVersion = {
  readonly version: number
  readonly note: string | null
  readonly by: string
  readonly at: Instant
}

export const findPolicy = async (
  db: Db,
  at: { siteId: number; version: number },
): Promise<Policy | undefined> => {
  const row = await db
    .selectFrom('policies')
    .select('policy')
    .where('siteId', '=', at.siteId)
    .where('version', '=', at.version)
    .executeTakeFirst()
  return row?.policy as Policy | undefined
}
