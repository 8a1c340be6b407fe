import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import pg from 'pg'
import t, { type Test } from 'tap'
import { listMigrations, migrate, splitMigration } from '../src/postgres/connection/migrate.ts'
import { createEmptyDatabase, runOnServer } from './servers.ts'

const FOLDER = join(import.meta.dirname, '../migrations')
const MODULE = join(import.meta.dirname, '../src/postgres/connection/migrate.ts')
const NAME = /^\d{4}_[a-z][a-z0-9_]*\.sql$/
const WAIT_MS = 10_000

const createFolder = (t: Test, files: Record<string, string> = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-migrations-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

const ask = async (url: string, statement: string): Promise<any[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

t.test('migrations are numbered, and each number has one file', async (t) => {
  const files = readdirSync(FOLDER).filter((name) => name !== 'checksums.txt')
  const names = await listMigrations()
  t.same(names, files.sort(), 'the folder holds migrations and their checksums, and no way back')
  for (const name of names) t.match(name, NAME)
  t.equal(new Set(names.map((name) => name.slice(0, 4))).size, names.length)
})

t.test(
  'a committed migration never changes: add a new one, and its line to checksums.txt',
  async (t) => {
    const names = await listMigrations()
    const lines = names.map((name) => `${sha256(readFileSync(join(FOLDER, name)))}  ${name}\n`)
    t.equal(readFileSync(join(FOLDER, 'checksums.txt'), 'utf8'), lines.join(''))
  },
)

t.test('no migration ends its own transaction', async (t) => {
  for (const name of await listMigrations()) {
    const statements = readFileSync(join(FOLDER, name), 'utf8').replace(/\$\$[\s\S]*?\$\$/g, '')
    t.notMatch(statements, /^\s*(begin|commit|rollback)\b/im, name)
  }
})

t.test('a node of the release before creates threads while ids become longer', async (t) => {
  const url = await createEmptyDatabase(t)
  const before = (await listMigrations()).filter((name) => name < '0031')
  const files = before.map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')])
  await migrate({ url, folder: createFolder(t, Object.fromEntries(files)) })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  await client.query("insert into sites (slug, name) values ('a', 'A')")
  let written = 0
  const write = async () => {
    const { rowCount } = await client.query(
      `insert into threads (site_id, article_id) values (1, $1)
      on conflict (site_id, article_id) do nothing`,
      [`article ${written}`],
    )
    written += rowCount!
  }
  let isMigrated = false
  const migrated = migrate({ url }).finally(() => {
    isMigrated = true
  })
  while (!isMigrated) await write()
  t.match(await migrated, ['0031_long_article_ids.sql'])
  const during = written
  await write()
  t.same([during > 0, written], [true, during + 1])
  const rows = await ask(
    url,
    'select count(*)::int as n from threads where long_article_id is null',
  )
  t.same(rows, [{ n: written }])
})

t.test('of two nodes that migrate together one applies and one waits', async (t) => {
  const url = await createEmptyDatabase(t)
  const both = await Promise.all([migrate({ url }), migrate({ url })])
  t.same(
    both.toSorted((a, b) => a.length - b.length),
    [[], await listMigrations()],
  )
  t.same(await migrate({ url }), [], 'nothing is left to do')
})

t.test('a failed migration leaves nothing and is tried again', async (t) => {
  const url = await createEmptyDatabase(t)
  const folder = createFolder(t, {
    '0001_a.sql': 'create table a ()',
    '0002_b.sql': 'create table b (); select 1 / 0',
  })
  await t.rejects(migrate({ url, folder }), { message: 'migration 0002_b.sql failed' })
  t.same(await ask(url, "select to_regclass('a') is not null as a, to_regclass('b') as b"), [
    { a: true, b: null },
  ])
  writeFileSync(join(folder, '0002_b.sql'), 'create table b ()')
  t.same(await migrate({ url, folder }), ['0002_b.sql'])
})

t.test('a migration killed half-way is applied by the next start', async (t) => {
  const url = await createEmptyDatabase(t)
  const folder = createFolder(t, {
    '0001_a.sql': 'create table a ()',
    '0002_b.sql': 'create table b (); select pg_sleep(1)',
  })
  const call = `await migrate(${JSON.stringify({ url, folder })})`
  const script = `import { migrate } from ${JSON.stringify(MODULE)}; ${call}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script])
  await untilSleeping(url)
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.same(await ask(url, 'select name from migrations'), [{ name: '0001_a.sql' }])
  t.same(await migrate({ url, folder }), ['0002_b.sql'])
})

const untilSleeping = async (url: string): Promise<void> => {
  const statement =
    "select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
  for (const begun = Date.now(); (await ask(url, statement)).length === 0; await sleep(20))
    if (Date.now() - begun > WAIT_MS) throw new Error('waited in vain for the migration to begin')
}

t.test('a database migrated by a newer version is left as it is', async (t) => {
  const url = await createEmptyDatabase(t)
  await migrate({ url })
  await ask(url, "insert into migrations (name) values ('9999_of_the_future.sql')")
  t.same(await migrate({ url }), [])
})

/** The last migration that describes a noun anew (decision 0024): from there on, a migration keeps what it finds. */
const SQUASHED = 6

const OLD_ROWS = `
  insert into sites (slug, name) values ('old', 'Old');
  insert into authors (site_id, name) values (1, 'Ada');
  insert into threads (site_id, article_id) values (1, 'article');
  insert into comments (site_id, thread_id, author_id, status, created_at, published_at,
      body, body_html, renderer)
    select 1, 1, 1, 'approved', now(), now(), 'Body ' || n, '<p>', 1
    from generate_series(1, 100) n;
  insert into comment_revisions values (1, 1, 1, 'Before', '<p>', now(), 'a1')`
const OLD_TABLES = ['sites', 'authors', 'threads', 'comments', 'comment_revisions']

/** Fills the schema of the first six migrations, runs the later migrations, and lists the tables that changed. */
const listLosses = async (t: Test, planted: Record<string, string> = {}): Promise<string[]> => {
  const url = await createEmptyDatabase(t)
  const names = await listMigrations()
  const folder = createFolder(t)
  const add = (some: string[]) => some.map((name) => cpSync(join(FOLDER, name), join(folder, name)))
  add(names.slice(0, SQUASHED))
  await migrate({ url, folder })
  await runOnServer(url, OLD_ROWS)
  const read = () => Promise.all(OLD_TABLES.map((table) => ask(url, `select * from ${table}`)))
  const before = await read()
  add(names.slice(SQUASHED))
  for (const [name, text] of Object.entries(planted)) writeFileSync(join(folder, name), text)
  await migrate({ url, folder })
  const after = await read()
  const isKept = (rows: any[], i: number): boolean =>
    rows.length === before[i]!.length &&
    rows.every((row, n) =>
      Object.entries(before[i]![n]).every(([column, value]) =>
        isDeepStrictEqual(row[column], value),
      ),
    )
  return OLD_TABLES.filter((_, i) => !isKept(after[i]!, i))
}

t.test('a migration after the first six keeps every row as it was', async (t) => {
  t.same(await listLosses(t), [])
})

t.test('a migration that deletes a row or changes a value is found', async (t) => {
  const planted = {
    '9998_loses_a_comment.sql': 'delete from comments where id = 7',
    '9999_renames_an_author.sql': "update authors set name = 'Eve'",
  }
  t.same(await listLosses(t, planted), ['authors', 'comments'])
})

/** From this file on, a migration keeps writers from at most one table. The files before are released. */
const FIRST_OF_ONE_TABLE = 31

const LIST_TABLES = "select oid from pg_class where relkind in ('r', 'p')"
const LIST_LOCKED = `
  select distinct relname from pg_locks l join pg_class c on c.oid = l.relation
  where l.pid = pg_backend_pid() and c.oid = any($1) and c.relname <> 'migrations'
    and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  order by relname`

/** The existing tables that each migration keeps writers from, in one transaction, if they are several. */
const listManyLocks = async (t: Test, planted: Record<string, string> = {}) => {
  const url = await createEmptyDatabase(t)
  const names = await listMigrations()
  const isGuarded = (name: string) => Number(name.slice(0, 4)) >= FIRST_OF_ONE_TABLE
  const read = (name: string): [string, string] => [name, readFileSync(join(FOLDER, name), 'utf8')]
  const released = names.filter((name) => !isGuarded(name)).map(read)
  await migrate({ url, folder: createFolder(t, Object.fromEntries(released)) })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  const listLocked = async (text: string): Promise<string[]> => {
    const { isAlone, parts } = splitMigration(text)
    const existing = await client.query(LIST_TABLES)
    if (!isAlone) await client.query('begin')
    for (const part of parts) await client.query(part)
    const { rows } = await client.query(LIST_LOCKED, [existing.rows.map(({ oid }) => oid)])
    if (!isAlone) await client.query('commit')
    return rows.map(({ relname }) => relname)
  }
  const found: Record<string, string[]> = {}
  for (const [name, text] of [...names.filter(isGuarded).map(read), ...Object.entries(planted)]) {
    const tables = await listLocked(text)
    if (tables.length > 1) found[name] = tables
  }
  return found
}

t.test('a migration keeps writers from at most one table: see CONTRIBUTING.md', async (t) => {
  t.same(await listManyLocks(t), {})
})

t.test('a migration that keeps writers from two tables is found', async (t) => {
  const planted = {
    '9990_one.sql': 'alter table threads add column a int; create index on threads (a)',
    '9991_two.sql': 'alter table threads add column b int; alter table comments add column b int',
    '9992_new.sql': 'create table n (site_id bigint references sites); create index on n (site_id)',
    '9993_refers.sql': `create table m (site_id bigint references sites,
      key_id bigint references api_keys)`,
    '9994_alone.sql': `-- without a transaction
alter table threads add column if not exists c int;
alter table comments add column if not exists c int;
`,
    '9995_reads.sql': 'alter table authors add column d int; update threads set title = title',
  }
  t.same(await listManyLocks(t, planted), {
    '9991_two.sql': ['comments', 'threads'],
    '9993_refers.sql': ['api_keys', 'sites'],
  })
})

t.test('a migration gives way to a writer, and is applied after it', async (t) => {
  const url = await createEmptyDatabase(t)
  const folder = createFolder(t, { '0001_a.sql': 'create table a (); create table b ()' })
  await migrate({ url, folder })
  const add = 'alter table b add column n int; alter table a add column n int'
  writeFileSync(join(folder, '0002_n.sql'), add)
  const writer = new pg.Client({ connectionString: url })
  await writer.connect()
  t.teardown(() => writer.end())
  await writer.query('begin; lock table a in row exclusive mode')
  const warnings: unknown[] = []
  const warn = (fields: object, message: string) => warnings.push([fields, message])
  const migrated = migrate({ url, folder, warn })
  for (const begun = Date.now(); warnings.length === 0; await sleep(20))
    if (Date.now() - begun > WAIT_MS)
      throw new Error('waited in vain for the migration to give way')
  await writer.query('lock table b in row exclusive mode; commit')
  t.same(await migrated, ['0002_n.sql'])
  t.same(warnings, [[{ migration: '0002_n.sql' }, 'migration waits for a table, will retry']])
})

t.test(
  'a database without a missing migration is left without a lock, but a restore is awaited',
  async (t) => {
    const url = await createEmptyDatabase(t)
    const folder = createFolder(t, { '0001_a.sql': 'create table a ()' })
    await migrate({ url, folder })
    const other = new pg.Client({ connectionString: url })
    await other.connect()
    t.teardown(() => other.end())
    // A node that asks at the same time has the shared lock for one statement.
    await other.query('select pg_advisory_lock_shared(4277009102)')
    t.same(await migrate({ url, folder }), [])
    await other.query('select pg_advisory_unlock_shared(4277009102), pg_advisory_lock(4277009102)')
    let isDone = false
    const waiting = migrate({ url, folder }).finally(() => {
      isDone = true
    })
    const attempts =
      "select from pg_stat_activity where query = 'rollback' and datname = current_database()"
    for (const begun = Date.now(); (await ask(url, attempts)).length === 0; await sleep(20))
      if (Date.now() - begun > WAIT_MS) throw new Error('waited in vain for the migration to wait')
    t.notOk(isDone)
    await other.query('select pg_advisory_unlock(4277009102)')
    t.same(await waiting, [])
  },
)
