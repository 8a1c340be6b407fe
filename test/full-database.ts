import { sql } from 'kysely'
import type { Db } from '../src/postgres/connection/db.ts'
import type { TestService } from './service.ts'
import { fillSite, rememberForeignIds } from './usecases/exporting/lively-site.ts'

/** Fills every table by requests, and those that requests fill for a moment only by hand. */
export const fillEveryTable = async (service: TestService): Promise<void> => {
  const { db } = service
  await fillSite(service, { seed: 7, acts: 120 })
  await rememberForeignIds(service, 1)
  // Gives positions to the comments that are visible so far.
  await service.get('/comments?sort=visible')
  const { id } = await service.post('alone', 'A tab\t, a \\ and "quotes",\r\nlines, \\. and ☃')
  await service.call('POST', '/v1/sites/default/moderation/claims', {
    token: service.adminKey,
    body: { comment_ids: [id] },
  })
  await sql`
    insert into transfer_codes (site_id, author_id, code_hash, expires_at)
    select site_id, id, '\\x00ff5c6e'::bytea, now() from authors order by id limit 1`.execute(db)
  await sql`
    insert into imports (site_id, state, dry_run, unapproved, asked_by, asked_at)
    values (1, 'waiting', false, 'keep', 'operator', '2026-11-30T01:02:03.456789Z')`.execute(db)
  await sql`
    insert into import_chunks (site_id, import_id, place, bytes)
    select 1, id, 0, '\\x0a5c2e0a00ff'::bytea from imports order by id desc limit 1`.execute(db)
  await sql`
    insert into imported_records (site_id, origin_id, kind, source_id, row_id)
    select 1, id, 'decision', '\\N', 9007199254740991 from import_origins limit 1`.execute(db)
  await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    values (1, 'refresh_author', '1', '{"authorId": 1}', now(), now() + interval '1 day')`.execute(
    db,
  )
}

type Row = Record<string, unknown>

/**
 * All rows of all tables, as texts in an order of their own. Left out are numbers of transactions, which belong to one
 * server, and when a migration ran.
 */
export const readEveryTable = async (db: Db): Promise<Record<string, string[]>> => {
  const tables = await sql<{ name: string }>`
    select relname::text as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`.execute(db)
  const found: Record<string, string[]> = {}
  for (const { name } of tables.rows) {
    const { rows } = await sql<Row>`
      select (to_jsonb(t) - 'changed_xid' - 'applied_at')::text as row
      from ${sql.table(name)} t order by 1`.execute(db)
    found[name] = rows.map(({ row }) => row as string)
  }
  return found
}

/** What makes the tables: columns, constraints, indexes and triggers, as Postgres prints them. */
export const readSchema = async (db: Db): Promise<string[]> => {
  const { rows } = await sql<{ part: string }>`
    select format('%s %s %s %s', table_name, column_name, data_type, column_default) as part
    from information_schema.columns where table_schema = 'public'
    union all
    select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint
    where connamespace = 'public'::regnamespace and contype <> 'n'
    union all
    select indexdef from pg_indexes where schemaname = 'public'
    union all
    select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    order by 1`.execute(db)
  return rows.map(({ part }) => part)
}
