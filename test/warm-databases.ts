import { sql } from 'kysely'
import { createDb, type Db, type OpenDb } from '../src/postgres/connection/db.ts'
import { cloneTemplate } from './servers.ts'

type Teardown = { teardown: (callback: () => Promise<void>) => void }

/** A migrated, empty database with a pool of connections. */
export type WarmDatabase = OpenDb & { readonly url: string }

type Kept = WarmDatabase & {
  readonly drop: () => Promise<void>
  /** As the template has it. */
  readonly schema: string
  deletedRows: number
}

/** Deleting more rows takes longer than cloning the template. */
const MAX_ROWS = 5_000
/** A database that no test borrows for so long is dropped. */
const KEPT_MS = 300
/** What the template has. */
const NO_TEST_WRITES = ['migrations', 'secrets']

const spare = new Map<Kept, NodeJS.Timeout>()

/**
 * Lends a test a database, emptied after the test before. Its connections have planned the usual statements:
 * new connections would spend three times as long on that as a test spends on running them.
 */
export const borrowDatabase = async (t: Teardown): Promise<WarmDatabase> => {
  const database = takeSpare() ?? (await openDatabase())
  t.teardown(() => giveBack(database))
  return database
}

const takeSpare = (): Kept | undefined => {
  for (const [database, timer] of spare) {
    clearTimeout(timer)
    spare.delete(database)
    return database
  }
  return undefined
}

const openDatabase = async (): Promise<Kept> => {
  const { url, drop } = await cloneTemplate()
  const pool = createDb({ url, max: 16, onError: () => {} })
  return { ...pool, url, drop, schema: await printSchema(pool.db), deletedRows: 0 }
}

/** One line for the tables, triggers, functions and constraints of a database. */
const printSchema = async (db: Db): Promise<string> => {
  const { rows } = await sql<{ printed: string }>`
    select md5(concat_ws(';',
      (select string_agg(concat_ws(' ', oid, relname, relnatts), ',' order by oid)
        from pg_class where relnamespace = 'public'::regnamespace),
      (select string_agg(concat_ws(' ', oid, tgname, tgenabled), ',' order by oid) from pg_trigger),
      (select string_agg(concat_ws(' ', oid, proname, xmin), ',' order by oid)
        from pg_proc where pronamespace = 'public'::regnamespace),
      (select string_agg(concat_ws(' ', oid, conname), ',' order by oid) from pg_constraint)
    )) as printed`.execute(db)
  return rows[0]!.printed
}

const giveBack = async (database: Kept): Promise<void> => {
  database.deletedRows += await empty(database).catch(() => Number.POSITIVE_INFINITY)
  const isLent = database.deletedRows <= MAX_ROWS && (await hasItsSchema(database))
  if (!isLent) return discard(database)
  const timer = setTimeout(() => {
    spare.delete(database)
    discard(database).catch(console.error)
  }, KEPT_MS)
  spare.set(database, timer)
}

/** Some tests take a table away. */
const hasItsSchema = async ({ db, schema }: Kept): Promise<boolean> =>
  (await printSchema(db).catch(() => undefined)) === schema

const discard = async ({ close, drop }: Kept): Promise<void> => {
  await close()
  await drop()
}

/** Deletes what a test has written, and numbers the next rows from 1. @returns the number of deleted rows */
const empty = ({ db }: WarmDatabase): Promise<number> =>
  db.transaction().execute(async (tx) => {
    const tables = await sql<{ name: string }>`
      select quote_ident(relname) as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r'
        and not relname = any(${NO_TEST_WRITES})`.execute(tx)
    const names = tables.rows.map(({ name }) => name)
    // Neither foreign keys nor the triggers that keep records.
    await sql`set local session_replication_role = replica`.execute(tx)
    const { rows } = await sql
      .raw<{ number: number }>(
        `with ${names.map((name) => `"${name}" as (delete from ${name} returning 1)`).join(', ')},
        restarted as (select setval(seqrelid::regclass, seqstart, false) from pg_sequence)
        select ${names.map((name) => `(select count(*) from "${name}")`).join(' + ')}
          + 0 * (select count(*) from restarted) as number`,
      )
      .execute(tx)
    return rows[0]!.number
  })
