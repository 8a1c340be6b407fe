import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { Db, Tx } from '../connection/db.ts'

/** How much a site contains. */
export type SiteCounts = {
  readonly threads: number
  readonly comments: number
  readonly authors: number
  readonly votes: number
  readonly keys: number
}

export const countSite = async (db: Db, siteId: number): Promise<SiteCounts> => {
  const { rows } = await sql<SiteCounts>`
    select (select count(*) from threads where site_id = ${siteId} and alias_of is null) as threads,
      (select count(*) from comments where site_id = ${siteId}) as comments,
      (select count(*) from authors where site_id = ${siteId}) as authors,
      (select count(*) from votes where site_id = ${siteId}) as votes,
      (select count(*) from api_keys where site_id = ${siteId}) as keys`.execute(db)
  return rows[0]!
}

/** From the commit on no request finds the site, and its keys are revoked. @returns false if it was deleted before */
export const markSiteDeleted = async (tx: Tx, siteId: number): Promise<boolean> => {
  const { rows } = await sql<{ deletedAt: Instant }>`
    update sites set deleted_at = clock_timestamp(), former_slug = null, former_slug_until = null
    where id = ${siteId} and deleted_at is null returning deleted_at`.execute(tx)
  await sql`
    update api_keys set revoked_at = clock_timestamp()
    where site_id = ${siteId} and revoked_at is null`.execute(tx)
  return rows.length > 0
}

/** The tables with rows of sites, each after all tables that refer to it. Read from the schema, so that none is forgotten. */
export const listSiteTables = async (db: Db): Promise<string[]> => {
  const { rows } = await sql<{ name: string; referrers: string[] }>`
    select t.relname::text as name, array(
        select distinct r.relname::text from pg_constraint f join pg_class r on r.oid = f.conrelid
        where f.contype = 'f' and f.confrelid = t.oid and f.conrelid <> t.oid) as referrers
    from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attname = 'site_id'
    where t.relkind in ('r', 'p') and not t.relispartition and t.relnamespace = current_schema()::text::regnamespace
    order by 1`.execute(db)
  const ordered: string[] = []
  while (ordered.length < rows.length) {
    const free = rows.filter(
      ({ name, referrers }) =>
        !ordered.includes(name) && referrers.every((referrer) => ordered.includes(referrer)),
    )
    if (free.length === 0) throw new Error('tables refer to each other in a circle')
    ordered.push(...free.map(({ name }) => name))
  }
  return ordered
}

/** @returns the number of deleted rows, at most `limit` */
export const deleteSomeRows = async (
  tx: Tx,
  { table, siteId, limit }: { table: string; siteId: number; limit: number },
): Promise<number> => {
  await sql`select set_config('afterword.deleted_site', ${String(siteId)}, true)`.execute(tx)
  const { numAffectedRows } = await sql`
    delete from ${sql.table(table)} where site_id = ${siteId} and ctid = any(array(
      select ctid from ${sql.table(table)} where site_id = ${siteId} limit ${limit}))`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

/** Writes that began before the deletion hold a lock on the site's row: no other row can follow after this. */
export const lockDeletedSiteRow = async (tx: Tx, siteId: number): Promise<boolean> => {
  const { rows } = await sql`
    select 1 from sites where id = ${siteId} and deleted_at is not null for update`.execute(tx)
  return rows.length > 0
}

export const deleteSiteRow = async (tx: Tx, siteId: number): Promise<void> => {
  await sql`delete from sites where id = ${siteId} and deleted_at is not null`.execute(tx)
}
