import { sql } from 'kysely'
import type { Db } from '../connection/db.ts'

/** A longer queue counts as this long. */
const MAX_COUNTED = 10_000

/** Counts the pending comments of each site that has any. A comment's age begins when it was posted. */
export const countQueues = async (
  db: Db,
): Promise<{ site: string; count: number; oldestSeconds: number }[]> => {
  const { rows } = await sql<{ site: string; count: number; oldestSeconds: number }>`
    select s.slug as site, q.count, extract(epoch from clock_timestamp() - oldest.created_at)::float8 as oldest_seconds
    from sites s
    cross join lateral (
      select count(*) as count from (
        select from comments where site_id = s.id and status = 'pending' limit ${MAX_COUNTED}) counted) q
    cross join lateral (
      select created_at from comments where site_id = s.id and status = 'pending' order by id limit 1) oldest
    where s.deleted_at is null`.execute(db)
  return rows
}
