import { sql } from 'kysely'
import type { Db } from './db.ts'
import { listMigrations } from './migrate.ts'

const DURABLE = ['fsync', 'full_page_writes', 'synchronous_commit']
const READ_ONLY = 'transaction_read_only'

export type PostgresHealth = {
  readonly missingMigrations: string[]
  /** Whether the server accepts no writes. */
  readonly isReadOnly: boolean
  readonly notDurable: string[]
}

/**
 * Reports missing migrations and switched-off settings without which a committed write can be lost.
 * Throws if Postgres does not respond.
 */
export const probePostgres = async (db: Db): Promise<PostgresHealth> => {
  const { rows: settings } = await sql<{ name: string }>`
    select name from pg_settings where name = any(${DURABLE}) and setting = 'off'
      or name = ${READ_ONLY} and setting = 'on'`.execute(db)
  const { rows: applied } = await sql<{ name: string }>`select name from migrations`.execute(db)
  const known = new Set(applied.map(({ name }) => name))
  const names = settings.map(({ name }) => name)
  return {
    missingMigrations: (await listMigrations()).filter((name) => !known.has(name)),
    isReadOnly: names.includes(READ_ONLY),
    notDurable: names.filter((name) => name !== READ_ONLY),
  }
}
