import { sql } from 'kysely'
import type { Db } from './db.ts'
import { listMigrations } from './migrate.ts'

const DURABLE = ['fsync', 'full_page_writes', 'synchronous_commit']

export type PostgresHealth = { readonly missingMigrations: string[]; readonly notDurable: string[] }

/**
 * Reports missing migrations and switched-off settings without which a committed write can be lost.
 * Throws if Postgres does not respond.
 */
export const probePostgres = async (db: Db): Promise<PostgresHealth> => {
  const { rows: settings } = await sql<{ name: string }>`
    select name from pg_settings where name = any(${DURABLE}) and setting = 'off'`.execute(db)
  const { rows: applied } = await sql<{ name: string }>`select name from migrations`.execute(db)
  const known = new Set(applied.map(({ name }) => name))
  return {
    missingMigrations: (await listMigrations()).filter((name) => !known.has(name)),
    notDurable: settings.map(({ name }) => name),
  }
}
