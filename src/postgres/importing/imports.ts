import { sql } from 'kysely'
import type {
  Import,
  ImportFault,
  ImportReport,
  ImportState,
} from '../../domain/importing/import.ts'
import type { Db, Tx } from '../connection/db.ts'

/** The author of an import from the command line. */
export const OPERATOR = 'operator'

type ImportKey = { readonly siteId: number; readonly id: number }

const columns = sql`id, state, dry_run, unapproved, wanted_format, wanted_origin, byte_count, report, fault,
  asked_by, asked_at, ended_at`

export type NewImport = Pick<
  Import,
  'dryRun' | 'unapproved' | 'wantedFormat' | 'wantedOrigin' | 'askedBy'
> & { readonly siteId: number; readonly state: ImportState }

export const insertImport = async (db: Db, wanted: NewImport): Promise<Import> => {
  const { rows } = await sql<Import>`
    insert into imports (site_id, state, dry_run, unapproved, wanted_format, wanted_origin, asked_by, asked_at)
    values (${wanted.siteId}, ${wanted.state}, ${wanted.dryRun}, ${wanted.unapproved}, ${wanted.wantedFormat},
      ${wanted.wantedOrigin}, ${wanted.askedBy}, clock_timestamp())
    returning ${columns}`.execute(db)
  return rows[0]!
}

export const findImport = async (
  db: Db,
  { siteId, id }: ImportKey,
): Promise<Import | undefined> => {
  const { rows } = await sql<Import>`
    select ${columns} from imports where site_id = ${siteId} and id = ${id}`.execute(db)
  return rows[0]
}

/** Lists imports, latest first; `limit + 1` rows. */
export const listImports = async (
  db: Db,
  { siteId, beforeId, limit }: { siteId: number; beforeId: number | null; limit: number },
): Promise<Import[]> => {
  const { rows } = await sql<Import>`
    select ${columns} from imports
    where site_id = ${siteId} and (${beforeId}::bigint is null or id < ${beforeId})
    order by id desc limit ${limit + 1}`.execute(db)
  return rows
}

/** How many uploaded imports of a site have not ended. */
export const countOpenImports = async (db: Db, siteId: number): Promise<number> => {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from imports
    where site_id = ${siteId} and ended_at is null and asked_by <> ${OPERATOR}`.execute(db)
  return rows[0]!.n
}

/** Gives an import that has not ended a new state. @returns false if it had ended */
export const updateImport = async (
  db: Db,
  { siteId, id }: ImportKey,
  {
    state,
    report = null,
    fault = null,
  }: { state: ImportState; report?: ImportReport | null; fault?: ImportFault | null },
): Promise<boolean> => {
  const isEnd = ['done', 'failed', 'cancelled'].includes(state)
  const { numAffectedRows } = await sql`
    update imports set state = ${state}, fault = ${fault && JSON.stringify(fault)}::jsonb,
      report = coalesce(${report && JSON.stringify(report)}::jsonb, report),
      ended_at = case when ${isEnd} then clock_timestamp() end
    where site_id = ${siteId} and id = ${id} and ended_at is null`.execute(db)
  return numAffectedRows === 1n
}

/** Keeps an import from being cancelled until the transaction ends. @returns false if it has ended */
export const lockRunningImport = async (tx: Tx, { siteId, id }: ImportKey): Promise<boolean> => {
  const { rows } = await sql`
    select 1 from imports where site_id = ${siteId} and id = ${id} and ended_at is null
    for no key update`.execute(tx)
  return rows.length > 0
}

export const insertChunk = async (
  db: Db,
  { siteId, id }: ImportKey,
  { place, bytes }: { place: number; bytes: Buffer },
): Promise<void> => {
  await sql`
    with counted as (
      update imports set byte_count = byte_count + ${bytes.length}::int where site_id = ${siteId} and id = ${id}
    )
    insert into import_chunks (site_id, import_id, place, bytes)
    values (${siteId}, ${id}, ${place}, ${bytes})`.execute(db)
}

/** Undefined after the last chunk. */
export const findChunk = async (
  db: Db,
  { siteId, id }: ImportKey,
  place: number,
): Promise<Buffer | undefined> => {
  const { rows } = await sql<{ bytes: Buffer }>`
    select bytes from import_chunks
    where site_id = ${siteId} and import_id = ${id} and place = ${place}`.execute(db)
  return rows[0]?.bytes
}

export const deleteChunks = async (db: Db, { siteId, id }: ImportKey): Promise<void> => {
  await sql`delete from import_chunks where site_id = ${siteId} and import_id = ${id}`.execute(db)
}

/** Ends imports that stopped without an end: uploads, and imports of the command line. @returns how many */
export const endStaleImports = async (tx: Tx, limit: number): Promise<number> => {
  const { rows } = await sql<{ siteId: number; id: number }>`
    update imports set state = 'failed', ended_at = clock_timestamp(),
      fault = '{"detail": "The import broke off.", "line": null, "column": null}'
    where (site_id, id) in (
      select site_id, id from imports
      where ended_at is null and (state = 'uploading' and asked_at < now() - interval '2 hours'
        or asked_by = ${OPERATOR} and asked_at < now() - interval '1 day') limit ${limit})
    returning site_id, id`.execute(tx)
  for (const key of rows) await deleteChunks(tx, key)
  return rows.length
}

/** Gives Postgres statistics of the tables that an import fills: plans for empty tables read all rows. */
export const analyzeImported = async (db: Db): Promise<void> => {
  const tables =
    'authors threads comments comment_tallies comment_revisions imported_authors imported_comments'
  for (const table of tables.split(' ')) await sql`analyze ${sql.table(table)}`.execute(db)
}

/** The number of an origin, which is created at its first use. */
export const ensureOrigin = async (tx: Tx, siteId: number, origin: string): Promise<number> => {
  await sql`
    insert into import_origins (site_id, origin) values (${siteId}, ${origin}) on conflict do nothing`.execute(
    tx,
  )
  return (await findOrigin(tx, siteId, origin))!
}

export const findOrigin = async (
  db: Db,
  siteId: number,
  origin: string,
): Promise<number | undefined> => {
  const { rows } = await sql<{ id: number }>`
    select id from import_origins where site_id = ${siteId} and origin = ${origin}`.execute(db)
  return rows[0]?.id
}
