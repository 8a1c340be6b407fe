import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const FOLDER = join(import.meta.dirname, '../../../migrations')

/** One number for every Afterword that might migrate this database. */
const LOCK = 4_277_009_102
const LOCK_RETRY_MS = 100
const CREATE_TABLE = `
  create table if not exists migrations (
    name text primary key,
    applied_at timestamptz not null default now()
  )`

/**
 * Applies the missing files of `migrations/` by name, each in its own transaction. If the first line of a
 * file is `-- without a transaction`, its statements, each ending its line with `;`, run one by one, and
 * all of them again after a kill. Of several servers that migrate together, one applies and the others
 * wait. Applied migrations of a newer version are ignored: old code runs on a new schema during a deploy.
 * @returns the names of the files that were applied
 */
export const migrate = ({ url, folder }: { url: string; folder?: string }): Promise<string[]> =>
  whileOthersWait(url, (client) => applyMissing(client, { folder }))

/** Runs a function on a connection of its own. Nothing else migrates the database meanwhile. */
export const whileOthersWait = async <T>(
  url: string,
  run: (client: pg.Client) => Promise<T>,
): Promise<T> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    while (!(await tryLock(client))) await sleep(LOCK_RETRY_MS)
    return await run(client)
  } finally {
    await client.end()
  }
}

/** As `migrate`, for a caller that has the lock. Files that `wanted` does not name are left out. */
export const applyMissing = async (
  client: pg.Client,
  { folder = FOLDER, wanted }: { folder?: string | undefined; wanted?: readonly string[] },
): Promise<string[]> => {
  await client.query(CREATE_TABLE)
  const applied: string[] = []
  for (const name of await listMissing(client, folder)) {
    if (wanted && !wanted.includes(name)) continue
    await apply(client, name, await readFile(join(folder, name), 'utf8'))
    applied.push(name)
  }
  return applied
}

/** A wait inside Postgres would hold a snapshot, and building an index concurrently waits for all snapshots. */
const tryLock = async (client: pg.Client): Promise<boolean> => {
  const { rows } = await client.query<{ held: boolean }>(
    `select pg_try_advisory_lock(${LOCK}) as held`,
  )
  return rows[0]!.held
}

export const listMigrations = async (folder = FOLDER): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()

const listMissing = async (client: pg.Client, folder: string): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>('select name from migrations')
  const known = new Set(rows.map((row) => row.name))
  return (await listMigrations(folder)).filter((name) => !known.has(name))
}

const ALONE = /^-- without a transaction\n/

const apply = async (client: pg.Client, name: string, statements: string): Promise<void> => {
  const isAlone = ALONE.test(statements)
  try {
    if (!isAlone) await client.query("begin; set local lock_timeout = '5s'")
    for (const part of isAlone ? statements.split(/(?<=;)\n/) : [statements])
      await client.query(part)
    await client.query('insert into migrations (name) values ($1)', [name])
    if (!isAlone) await client.query('commit')
  } catch (error) {
    throw new Error(`migration ${name} failed`, { cause: error })
  }
}
