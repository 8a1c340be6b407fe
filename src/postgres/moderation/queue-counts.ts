import { sql } from 'kysely'
import type { Db } from '../connection/db.ts'

/** A queue with more comments counts as this long, so that a look at the metrics stays cheap. */
const MAX_COUNTED = 10_000

/** Counts the pending comments of each site with a queue, and how long ago the oldest of them was posted. */
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
