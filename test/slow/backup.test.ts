import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { openDebianPostgres, skipWithoutPostgres } from '../debian-postgres.ts'
import { fillEveryTable, readEveryTable, readSchema } from '../full-database.ts'
import { recount } from '../recount.ts'
import { runScript } from '../scripts/run-script.ts'
import { createEmptyDatabase } from '../servers.ts'
import { openService, type TestService } from '../service.ts'
import { createDataDir, start, until } from '../start.ts'

const ROOT = join(import.meta.dirname, '../..')

const backUp = (url: string, file: string) => runScript('backup.ts', [file], { DATABASE_URL: url })
const restore = (url: string, file: string) =>
  runScript('restore.ts', [file], { DATABASE_URL: url })

const open = (t: Test, url: string): Db => {
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  return db
}

t.test(
  'a backup of the embedded Postgres is restored into an older Postgres, and back',
  { skip: skipWithoutPostgres },
  async (t) => {
    const service = await openService(t)
    await fillEveryTable(service)
    const before = await readEveryTable(service.db)
    const file = join(t.testdir(), 'new.backup')
    t.match(await backUp(service.url, file), { code: 0 })
    const old = await openDebianPostgres(t)
    t.ok(old.version < 18, `Postgres ${old.version}`)
    t.match(await restore(old.url, file), { code: 0 })
    const db = open(t, old.url)
    t.same(await readEveryTable(db), before)
    t.same(await recount(db), [])
    t.match(await backUp(old.url, file), { code: 0 })
    const back = await createEmptyDatabase(t)
    t.match(await restore(back, file), { code: 0 })
    t.same(await readEveryTable(open(t, back)), before)
    t.same(await readSchema(open(t, back)), await readSchema(service.db))
  },
)

t.test('a backup is one moment of a database that many write to', async (t) => {
  const service = await openService(t)
  const stop = new AbortController()
  const writers = Array.from({ length: 4 }, (_, n) => write(service, n, stop.signal))
  const restored: number[] = []
  for (let round = 1; round <= 4; round++) {
    await until('for more comments', async () => (await count(service.db)) > round * 60)
    const file = join(t.testdir(), 'busy.backup')
    const [before, run, after] = [
      await count(service.db),
      await backUp(service.url, file),
      await count(service.db),
    ]
    t.match(run, { code: 0 })
    t.ok(after > before, 'people wrote meanwhile')
    const url = await createEmptyDatabase(t)
    t.match(await restore(url, file), { code: 0 })
    const db = open(t, url)
    t.same(await recount(db), [])
    restored.push(await count(db))
    t.ok(before <= restored.at(-1)! && restored.at(-1)! <= after)
  }
  stop.abort()
  await Promise.all(writers)
})

const count = async (db: Db): Promise<number> => {
  const { rows } = await sql<{ n: number }>`select count(*) as n from comments`.execute(db)
  return rows[0]!.n
}

/** Posts, replies, votes and decides until the signal. */
const write = async (service: TestService, n: number, signal: AbortSignal): Promise<void> => {
  for (let i = 0; !signal.aborted; i++) {
    const root = await service.post(`article-${i % 3}`, `Root ${n} ${i}`)
    const reply = await service.post(`article-${i % 3}`, `Reply ${n} ${i}`, { parent_id: root.id })
    await service.call('PUT', `/v1/sites/default/comments/${root.id}/vote`, {
      token: reply.guest_token,
      body: { value: 1 },
    })
    if (i % 2) await service.decide(reply.id, 'approved', 'spam')
    if (i % 3) await service.decide(root.id, 'approved', 'rejected')
  }
}

t.test(
  'a backup moves the embedded Postgres to another folder, while the service runs',
  async (t) => {
    const settings = { AFTERWORD_DATA: createDataDir(t) }
    const service = start(t, settings)
    const address = await service.ready()
    const posted = await fetch(`${address}/v1/sites/default/articles/a/comments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ body: 'a text', author: { name: 'Ada' } }),
    })
    const { id, guest_token } = (await posted.json()) as { id: string; guest_token: string }
    const file = join(t.testdir(), 'whole.backup')
    t.match(await runScript('backup.ts', [file], settings), { code: 0 })
    t.match(await runScript('restore.ts', [file], settings), { code: 1, err: 'is not empty' })
    t.equal(await service.stop(), 0)
    const other = { AFTERWORD_DATA: createDataDir(t) }
    t.match(await runScript('restore.ts', [file], other), { code: 0 })
    const next = start(t, other)
    const edited = await fetch(`${await next.ready()}/v1/sites/default/comments/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${guest_token}` },
      body: JSON.stringify({ body: 'edited' }),
    })
    t.equal(edited.status, 200, 'the id and the guest token are valid there')
    t.notMatch(next.err(), 'Admin key', 'its keys are there too')
    t.equal(await next.stop(), 0)
  },
)

/** About 300 MB of text in 60,000 comments. */
const fillWithText = async (db: Db): Promise<void> => {
  await sql`insert into threads (site_id, article_id) values (1, 'large')`.execute(db)
  await sql`insert into authors (site_id, name) values (1, 'Ada')`.execute(db)
  for (let i = 0; i < 60; i++)
    await sql`
      insert into comments (site_id, thread_id, author_id, status, created_at, published_at, body, body_html, renderer)
      select 1, 1, 1, 'approved', now(), now(), r, r, 1 from generate_series(1, 1000) n,
        lateral (select string_agg(md5(random()::text), ' ') as r from generate_series(1, 75 + 0 * n)) x`.execute(
      db,
    )
}

const peakOf = (pid: number): number => {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** Runs a script and finds out the most memory that it had. */
const measure = async (name: string, args: string[], url: string) => {
  const script = join(ROOT, 'scripts', name)
  const env = { ...process.env, DATABASE_URL: url }
  const child = spawn(process.execPath, [script, ...args], { env, stdio: 'ignore' })
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, peakOf(child.pid!))
  }, 50)
  const [code] = await once(child, 'exit')
  clearInterval(timer)
  return { code, megabytes: Math.round(peak / 1024) }
}

const onLinux = process.platform === 'linux' ? {} : { skip: 'reads /proc: not tested here' }

t.test(
  'backup and restore of 300 MB take little memory, and a kill leaves no row',
  onLinux,
  async (t) => {
    const service = await openService(t)
    await fillWithText(service.db)
    const file = join(t.testdir(), 'large.backup')
    const taken = await measure('backup.ts', [file], service.url)
    t.match(taken, { code: 0 })
    t.ok(taken.megabytes < 200, `backup: ${taken.megabytes} MB`)
    const url = await createEmptyDatabase(t)
    const child = spawn(process.execPath, [join(ROOT, 'scripts/restore.ts'), file], {
      env: { ...process.env, DATABASE_URL: url },
      stdio: 'ignore',
    })
    const db = open(t, url)
    await until('for rows on their way', async () => {
      const { rows } = await sql`
      select from pg_stat_progress_copy where datname = current_database() and bytes_processed > 10000000`.execute(
        db,
      )
      return rows.length > 0
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await until('for Postgres to notice', async () => {
      const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and application_name <> 'afterword'`.execute(
        db,
      )
      return rows.length === 0
    })
    const { migrations: _, ...tables } = await readEveryTable(db)
    t.same(Object.values(tables).flat(), [])
    const restored = await measure('restore.ts', [file], url)
    t.match(restored, { code: 0 })
    t.ok(restored.megabytes < 200, `restore: ${restored.megabytes} MB`)
    t.equal(await count(db), 60_000)
    t.comment(`backup ${taken.megabytes} MB, restore ${restored.megabytes} MB`)
  },
)
