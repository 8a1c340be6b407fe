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
import { listMigrations, migrate } from '../src/postgres/connection/migrate.ts'
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

t.test('migrations are numbered without a gap', async (t) => {
  const files = readdirSync(FOLDER).filter((name) => name !== 'checksums.txt')
  const names = await listMigrations()
  t.same(names, files.sort(), 'the folder holds migrations and their checksums, and no way back')
  names.forEach((name, i) => {
    t.match(name, NAME)
    t.equal(Number(name.slice(0, 4)), i + 1, `${name} is number ${i + 1}`)
  })
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
