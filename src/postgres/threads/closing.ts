import { sql } from 'kysely'
import { closesAt } from '../comments/rows.ts'
import type { Tx } from '../connection/db.ts'

export type ClosedThread = { readonly siteId: number; readonly id: number }

/** A thread that closed longer ago than this gets no new version: pages show that it is closed anyway. */
const WINDOW = sql`interval '1 day'`

/**
 * Locks threads that closed automatically and have no new version since, by id, until the transaction ends.
 * It skips rows that another transaction has locked. A version is at least the time at which the thread got it.
 */
export const lockJustClosedThreads = async (tx: Tx, limit: number): Promise<ClosedThread[]> => {
  const closing = closesAt('t')
  const isUnnoticed = sql`t.state = 'open' and t.version > 0 and t.alias_of is null
    and t.version < extract(epoch from ${closing}) * 1000000`
  const { rows } = await sql<ClosedThread>`
    with closed as (
      (select t.site_id, t.id from threads t
      where t.closes_at <= now() and t.closes_at > now() - ${WINDOW} and ${isUnnoticed}
      limit ${limit})
      union all
      (select t.site_id, t.id
      from sites s cross join lateral (
        select * from threads t
        where t.site_id = s.id and t.closes_at is null and not t.stays_open
          and t.created_at <= now() - s.close_after_days * interval '1 day'
          and t.created_at > now() - s.close_after_days * interval '1 day' - ${WINDOW}
          and ${isUnnoticed}
        limit ${limit}
      ) t
      where s.close_after_days > 0 limit ${limit})
    )
    select site_id, id from threads
    where (site_id, id) in (select site_id, id from closed)
    order by id limit ${limit} for no key update skip locked`.execute(tx)
  return rows
}
