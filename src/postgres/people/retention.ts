import { sql } from 'kysely'
import type { Tx } from '../connection/db.ts'

const KEPT = {
  votes: { since: sql`c.voted_at`, key: sql`thread_id, comment_id, author_id` },
  flags: { since: sql`c.flagged_at`, key: sql`thread_id, comment_id, author_id` },
  arrivals: { since: sql`c.arrived_at`, key: sql`comment_id` },
}

/**
 * Deletes a batch of address hashes older than their site's retention. Rows that a writer has locked wait
 * for the next run.
 * @returns the number of rows
 */
export const forgetOldAddresses = async (
  tx: Tx,
  table: keyof typeof KEPT,
  batch: number,
): Promise<number> => {
  const { since, key } = KEPT[table]
  const { numAffectedRows } = await sql`
    with old as (
      select c.* from sites s cross join lateral (
        select c.site_id, ${key} from ${sql.table(table)} c
        where c.site_id = s.id and c.address_hash is not null
          and ${since} < clock_timestamp() - make_interval(days => s.retention_days)
        order by ${since} limit ${batch} for no key update skip locked
      ) c
      limit ${batch}
    )
    update ${sql.table(table)} set address_hash = null
    where (site_id, ${key}) in (select * from old)`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

/**
 * Deletes a batch of the addresses of comments that are older than their sites keep them, the oldest first.
 * @returns the number of rows
 */
export const deleteOldAddresses = async (tx: Tx, batch: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    with old as (
      select d.* from sites s cross join lateral (
        select d.site_id, d.written_at, d.comment_id from comment_addresses d
        where d.site_id = s.id
          and d.written_at < clock_timestamp() - make_interval(days => s.retention_days)
        order by d.written_at limit ${batch} for update skip locked
      ) d
      limit ${batch}
    )
    delete from comment_addresses
    where (site_id, written_at, comment_id) in (select * from old)`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

/** Deletes a batch of recent posts older than a day. @returns the number of rows */
export const deleteOldArrivals = async (tx: Tx, batch: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    with old as (
      select c.* from sites s cross join lateral (
        select c.site_id, c.comment_id from arrivals c
        where c.site_id = s.id and c.arrived_at < clock_timestamp() - interval '1 day'
        order by c.arrived_at limit ${batch} for update skip locked
      ) c
      limit ${batch}
    )
    delete from arrivals where (site_id, comment_id) in (select * from old)`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

/**
 * Deletes the hashed subjects of members that were erased a year ago: every token from before the erasure
 * has expired.
 */
export const forgetOldSubjects = async (tx: Tx): Promise<number> => {
  const { numAffectedRows } = await sql`
    update authors a set erased_subject = null from sites s
    where a.site_id = s.id and a.erased_subject is not null
      and a.erased_at < now() - interval '1 year'`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

/** Withdrawn comments whose text is older than their site keeps it: some of one thread, the oldest first. */
export const findWithdrawnTexts = async (
  tx: Tx,
  batch: number,
): Promise<{ siteId: number; threadId: number; ids: number[] } | undefined> => {
  const { rows } = await sql<{ siteId: number; threadId: number; id: number }>`
    select c.* from sites s cross join lateral (
      select c.site_id, c.thread_id, c.id from comments c
      where c.site_id = s.id and c.withdrawn_at is not null and c.body <> ''
        and c.withdrawn_at < clock_timestamp() - make_interval(days => s.retention_days)
      order by c.withdrawn_at limit ${batch} for no key update skip locked
    ) c
    limit ${batch}`.execute(tx)
  const [first] = rows
  const isSame = (row: { siteId: number; threadId: number }) =>
    row.siteId === first!.siteId && row.threadId === first!.threadId
  return first && { ...first, ids: rows.filter(isSame).map(({ id }) => id) }
}
