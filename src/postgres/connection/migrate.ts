import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type pg from 'pg'
import { parsePostgresUrl } from './address.ts'
import { openClient } from './client.ts'
import type { Db } from './db.ts'

const FOLDER = join(import.meta.dirname, '../../../migrations')

/** One number for every Afterword that might migrate this database. */
const LOCK = 4_277_009_102
const LOCK_RETRY_MS = 100
const CONNECT_TIMEOUT_MS = 5_000
/** After this time, the log says which session has the lock of migrations. */
const LONG_WAIT_MS = 10_000
const CREATE_TABLE = `
  create table if not exists migrations (
    name text primary key,
    applied_at timestamptz not null default now()
  )`

/**
 * A migration gives way: it waits for a table more briefly than `deadlock_timeout` (1 s unless changed), and tries
 * again. So a migration and a writer that wait for each other do not become a deadlock, and writers wait only this
 * long.
 */
const TABLE_LOCK_MS = 300
/** Postgres stops an autovacuum that blocks a table only after `deadlock_timeout`, so some attempts wait longer. */
const LONG_TABLE_LOCK_MS = 1_500
const LONG_EVERY = 5
/** A migration that cannot get its tables for this long fails; the start tries again. */
const PATIENCE_MS = 60_000
const MAX_PAUSE_MS = 1_000

/** A connection, or a pool of them. */
type Queryable = {
  readonly query: <Row>(statement: string) => Promise<{ rows: Row[] }>
}

type Warn = (fields: object, message: string) => void

type Options = {
  /** The address of the service, possibly that of a pooler. */
  readonly url: string
  /** The same database without a pooler, if there is one. */
  readonly directUrl?: string | undefined
  readonly folder?: string | undefined
  readonly warn?: Warn | undefined
}

/**
 * Applies the missing files of `migrations/` by name, each in its own transaction. If the first line of a
 * file is `-- without a transaction`, its statements, each ending its line with `;`, run one by one, and
 * all of them again after a kill. Of several servers that migrate together, one applies and the others
 * wait. Without a missing file no server keeps the lock. Applied migrations of a newer version are ignored,
 * because old code runs on a new schema during a deploy.
 * @returns the names of the files that were applied
 */
export const migrate = async (options: Options): Promise<string[]> => {
  const { url, directUrl = url, folder, warn } = options
  if (await withClient(url, (client) => isComplete(client, folder))) return []
  return whileOthersWait(directUrl, (client) => applyMissing(client, { folder, warn }), warn)
}

/** Whether `migrate` has nothing to do. A pool spares a start the connection that `migrate` opens to find out. */
export const isMigrated = (db: Db): Promise<boolean> =>
  isComplete({ query: (statement) => sql.raw<never>(statement).execute(db) })

/** Whether no file is missing, and no other session migrates the database or restores a backup. */
const isComplete = async (client: Queryable, folder?: string): Promise<boolean> =>
  (await listMissing(client, folder)).length === 0 && isUnlocked(client)

/** Runs a function on a connection of its own. Nothing else migrates the database meanwhile. */
export const whileOthersWait = <T>(
  url: string,
  run: (client: pg.Client) => Promise<T>,
  warn: Warn = () => {},
): Promise<T> =>
  withClient(url, (holder) =>
    withClient(url, async (client) => {
      await lock(holder, warn)
      holder.once('end', () => void client.end())
      return run(client)
    }),
  )

/** As `migrate`, for a caller that has the lock. Files that `wanted` does not name are left out. */
export const applyMissing = async (
  client: pg.Client,
  options: {
    folder?: string | undefined
    wanted?: readonly string[]
    warn?: Warn | undefined
  },
): Promise<string[]> => {
  const { folder = FOLDER, wanted, warn = () => {} } = options
  await client.query(CREATE_TABLE)
  const applied: string[] = []
  for (const name of await listMissing(client, folder)) {
    if (wanted && !wanted.includes(name)) continue
    await apply(client, { name, text: await readFile(join(folder, name), 'utf8'), warn })
    applied.push(name)
  }
  return applied
}

/** A connection outside the pools, without their time-outs. */
export const openOwnClient = (url: string): Promise<pg.Client> =>
  openClient(parsePostgresUrl(url), { timeoutMs: CONNECT_TIMEOUT_MS })

const withClient = async <T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = await openOwnClient(url)
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** Every limit of time that the role or the database may have: a migration takes as long as it takes. */
const NO_TIMEOUTS = `select set_config(name, '0', true) from pg_settings where name in
  ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`

/**
 * Takes the lock until the holder ends. The lock belongs to a transaction, because behind a pooler a lock of the
 * session would stay with a session that others get. A transaction that waits inside Postgres would hold a snapshot,
 * and building an index concurrently waits for all snapshots; between two statements it holds none.
 */
const lock = async (holder: pg.Client, warn: Warn): Promise<void> => {
  const begun = performance.now()
  for (let isLong = false; ; await sleep(LOCK_RETRY_MS)) {
    await holder.query(`begin; ${NO_TIMEOUTS}`)
    const { rows } = await holder.query<{ held: boolean }>(
      `select pg_try_advisory_xact_lock(${LOCK}) as held`,
    )
    if (rows[0]!.held) return
    await holder.query('rollback')
    if (isLong || performance.now() - begun < LONG_WAIT_MS) continue
    isLong = true
    warn({ pid: await findHolder(holder) }, 'migrations: another session has the lock, waiting')
  }
}

const isUnlocked = async (client: Queryable): Promise<boolean> => {
  const { rows } = await client.query<{ free: boolean }>(
    `select pg_try_advisory_xact_lock_shared(${LOCK}) as free`,
  )
  return rows[0]!.free
}

const findHolder = async (client: pg.Client): Promise<number | undefined> => {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_locks l join pg_database d on d.oid = l.database and datname = current_database()
    where locktype = 'advisory' and classid = 0 and objid = ${LOCK} and granted`,
  )
  return rows[0]?.pid
}

export const listMigrations = async (folder = FOLDER): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()

const listMissing = async (client: Queryable, folder = FOLDER): Promise<string[]> => {
  const known = new Set(await listApplied(client))
  return (await listMigrations(folder)).filter((name) => !known.has(name))
}

const UNDEFINED_TABLE = '42P01'

/** The names of the applied migrations. None if the database has not been migrated. */
export const listApplied = async (client: Queryable): Promise<string[]> => {
  try {
    const { rows } = await client.query<{ name: string }>('select name from migrations')
    return rows.map(({ name }) => name)
  } catch (error) {
    if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return []
    throw error
  }
}

type Migration = { readonly name: string; readonly text: string; readonly warn: Warn }

const ALONE = /^-- without a transaction\n/

/** The statements of a migration that run one by one, or the whole text, which runs in one transaction. */
export const splitMigration = (text: string): { isAlone: boolean; parts: string[] } => {
  const isAlone = ALONE.test(text)
  return { isAlone, parts: isAlone ? text.split(/(?<=;)\n/) : [text] }
}

const apply = async (client: pg.Client, migration: Migration): Promise<void> => {
  const { isAlone, parts } = splitMigration(migration.text)
  const record = { text: 'insert into migrations (name) values ($1)', values: [migration.name] }
  try {
    if (!isAlone)
      return await givingWay(
        migration,
        async (lockMs) => {
          await client.query(`begin; ${NO_TIMEOUTS}; set local lock_timeout = ${lockMs}`)
          await client.query(migration.text)
          await client.query(record)
          await client.query('commit')
        },
        () => client.query('rollback'),
      )
    for (const part of parts)
      await givingWay(migration, async (lockMs) => {
        // Building an index concurrently waits for the transactions of others on purpose.
        const isPatient = /\bconcurrently\b/i.test(part)
        await client.query(
          `set statement_timeout = 0; set lock_timeout = ${isPatient ? 0 : lockMs}`,
        )
        await client.query(part)
      })
    await client.query(record)
  } catch (error) {
    throw new Error(`migration ${migration.name} failed`, { cause: error })
  }
}

/** A wait for a table that took too long, and a deadlock. */
const GIVES_WAY = ['55P03', '40P01']

const givingWay = async (
  { name, warn }: Migration,
  run: (lockMs: number) => Promise<unknown>,
  rollBack: () => Promise<unknown> = async () => {},
): Promise<void> => {
  const begun = performance.now()
  for (let attempt = 1; ; attempt++) {
    try {
      await run(attempt % LONG_EVERY === 0 ? LONG_TABLE_LOCK_MS : TABLE_LOCK_MS)
      return
    } catch (error) {
      const isOver = performance.now() - begun > PATIENCE_MS
      if (isOver || !GIVES_WAY.includes((error as { code: string }).code)) throw error
      await rollBack()
      if (attempt === 1) warn({ migration: name }, 'migration waits for a table, will retry')
      await sleep(Math.min(MAX_PAUSE_MS, LOCK_RETRY_MS * attempt) * (0.5 + Math.random()))
    }
  }
}
