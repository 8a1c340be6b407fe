import { sql } from 'kysely'
import type { TestService } from './service.ts'

/** Every text, JSON and byte that Postgres holds, as one text. */
export const dump = async ({ db }: Pick<TestService, 'db'>): Promise<string> => {
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'public'`.execute(
    db,
  )
  const texts = await Promise.all(
    rows.map(async ({ name }) => {
      const all = await sql<{ row: string }>`
        select to_jsonb(t)::text as row from ${sql.table(name)} t`.execute(db)
      return all.rows.map(({ row }) => row).join('\n')
    }),
  )
  return texts.join('\n')
}
