import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { Db, Tx } from '../connection/db.ts'

/** A version of a site's policy, without the rules. */
export type PolicyVersion = {
  readonly version: number
  readonly note: string | null
  readonly by: string
  readonly at: Instant
}

const columns = sql`version, note, made_by as "by", made_at as "at"`

export const findPolicy = async (
  db: Db,
  { siteId, version }: { siteId: number; version: number },
): Promise<(PolicyVersion & { policy: Policy }) | undefined> => {
  const { rows } = await sql<PolicyVersion & { policy: Policy }>`
    select ${columns}, policy from policies
    where site_id = ${siteId} and version = ${version}`.execute(db)
  return rows[0]
}

/** A policy as JSON, which takes a thread less time to receive than the parsed policy. */
export const findPolicyJson = async (
  db: Db,
  { siteId, version }: { siteId: number; version: number },
): Promise<string | undefined> => {
  const { rows } = await sql<{ json: string }>`
    select policy::text as json from policies
    where site_id = ${siteId} and version = ${version}`.execute(db)
  return rows[0]?.json
}

/** Latest first; `limit + 1` rows. */
export const listPolicies = async (
  db: Db,
  request: { siteId: number; before: number | null; limit: number },
): Promise<PolicyVersion[]> => {
  const { siteId, before, limit } = request
  const { rows } = await sql<PolicyVersion>`
    select ${columns} from policies
    where site_id = ${siteId} ${before === null ? sql`` : sql`and version < ${before}`}
    order by version desc limit ${limit + 1}`.execute(db)
  return rows
}

/** Puts a policy in force. The caller has locked the site's row, so that versions have no gaps. */
export const insertPolicy = async (
  tx: Tx,
  made: { siteId: number; version: number; policy: Policy; note: string | null; by: string },
): Promise<PolicyVersion> => {
  const { siteId, version, policy, note, by } = made
  const { rows } = await sql<PolicyVersion>`
    with site as (update sites set policy_version = ${version} where id = ${siteId})
    insert into policies (site_id, version, policy, note, made_by, made_at)
    values (${siteId}, ${version}, ${JSON.stringify(policy)}, ${note}, ${by}, clock_timestamp())
    returning ${columns}`.execute(tx)
  return rows[0]!
}
