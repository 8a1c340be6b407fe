import { sql } from 'kysely'
import { closesAt } from '../comments/rows.ts'
import type { Tx } from '../connection/db.ts'

export type ClosedThread = { readonly siteId: number; readonly id: number }

/** What nobody has noticed for so long changes no version any more: pages say that it is closed all the same. */
const WINDOW = sql`interval '1 day'`

/**
 * Some threads that have closed by themselves and have had no new version since, in order of id, held
 * until the transaction ends; those that somebody else holds are left to it. A version is never less
 * than the time when it was given.
 */
export const lockJustClosedThreads = async (tx: Tx, limit: number): Promise<ClosedThread[]> => {
  const closing = closesAt('t')
  const isUnnoticed = sql`t.state = 'open' and t.version > 0
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
