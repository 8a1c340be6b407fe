import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { listMigrations, migrate } from '../../src/postgres/connection/migrate.ts'
import { inTransaction } from '../../src/postgres/connection/transaction.ts'
import { startNode } from '../own-service.ts'
import { keepsStatements, openPgBouncer, skipWithoutPgBouncer } from '../pgbouncer.ts'
import { createDatabase, runOnServer, urlOf } from '../servers.ts'

const skip = skipWithoutPgBouncer
const KEEPING = keepsStatements ? ['max_prepared_statements = 1000'] : []
const NOT_KEEPING = keepsStatements ? ['max_prepared_statements = 0'] : []
const UNPREPARED = /the pooler does not keep prepared statements/

const openPool = (t: Test, url: string, onUnprepared?: () => void): Db => {
  const { db, close } = createDb({
    url,
    max: 8,
    onError: () => {},
    ...(onUnprepared && { onUnprepared }),
  })
  t.teardown(close)
  return db
}

const createEmptyDatabase = async (t: Test): Promise<string> => {
  const server = process.env.TEST_DATABASE_URL!
  const name = `test_${randomBytes(8).toString('hex')}`
  await runOnServer(server, `create database ${name} template template0`)
  t.teardown(() => runOnServer(server, `drop database ${name} with (force)`))
  return urlOf(server, name)
}

for (const [what, mode, settings, isWarned] of [
  ['in session mode', 'session', [], false],
  ['that keeps no statements, in transaction mode', 'transaction', NOT_KEEPING, true],
  ...(keepsStatements
    ? ([['that keeps statements, in transaction mode', 'transaction', KEEPING, false]] as const)
    : []),
] as const)
  t.test(`two nodes serve posts and reads behind a PgBouncer ${what}`, { skip }, async (t) => {
    const { url: direct } = await createDatabase(t)
    // A node in session mode keeps the sessions of its connections.
    const size = mode === 'session' ? 'default_pool_size = 60' : 'default_pool_size = 3'
    const { url } = await openPgBouncer(t, direct, { mode, settings: [...settings, size] })
    const env = { DATABASE_URL: url, AFTERWORD_SECRET: 's'.repeat(32), AFTERWORD_POOL: '8' }
    const nodes = [await startNode(t, url, env), await startNode(t, url, env)]
    const texts = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const { post, readAll } = nodes[n % 2]!
        const text = `${n}`
        const { status } = await post(`article-${n % 5}`, text)
        t.equal(status, 201)
        t.ok((await readAll(`article-${n % 5}`)).includes(text), 'readers see their own comment')
        return text
      }),
    )
    const read = await Promise.all(
      [0, 1, 2, 3, 4].map((n) => nodes[n % 2]!.readAll(`article-${n}`)),
    )
    t.same(read.flat().sort(), texts.sort(), 'every comment is in its article, once')
    for (const { lines } of nodes) {
      t.same(
        lines.filter(({ level }) => level >= 50),
        [],
        'no error',
      )
      const warnings = lines.filter(({ msg }) => UNPREPARED.test(msg)).length
      t.ok(warnings <= 1, 'at most one line of the log')
    }
    const warned = nodes.some(({ lines }) => lines.some(({ msg }) => UNPREPARED.test(msg)))
    t.equal(warned, isWarned, 'the log says whether statements are prepared')
  })

t.test(
  'a node beside a running one is ready behind a PgBouncer, and one without it too',
  { skip },
  async (t) => {
    const direct = await createEmptyDatabase(t)
    const { url } = await openPgBouncer(t, direct, { mode: 'transaction' })
    const env = { AFTERWORD_SECRET: 's'.repeat(32) }
    await startNode(t, url, env)
    for (const next of [url, url, url, direct]) {
      const { ask } = await startNode(t, next, env)
      t.equal((await ask('/readyz')).status, 200)
    }
    await runOnServer(direct, "delete from migrations where name like '0030%'")
    const locks = `select from pg_locks join pg_database d on d.oid = database
    where locktype = 'advisory' and objid = 4277009102 and datname = current_database()`
    const client = new pg.Client({ connectionString: direct })
    await client.connect()
    t.teardown(() => client.end())
    t.same((await client.query(locks)).rows, [], 'no session keeps the lock of migrations')
  },
)

t.test(
  'of two migrations behind a PgBouncer in transaction mode, one applies and one waits',
  { skip },
  async (t) => {
    const direct = await createEmptyDatabase(t)
    const { url } = await openPgBouncer(t, direct, { mode: 'transaction' })
    const both = await Promise.all([migrate({ url }), migrate({ url, directUrl: direct })])
    t.same(
      both.toSorted((a, b) => a.length - b.length),
      [[], await listMigrations()],
    )
  },
)

t.test('a migration past the pooler takes the direct address', { skip }, async (t) => {
  const direct = await createEmptyDatabase(t)
  const { url, log } = await openPgBouncer(t, direct, { mode: 'transaction' })
  t.same(await migrate({ url, directUrl: direct }), await listMigrations())
  t.equal(log().match(/login attempt/g)?.length, 1, 'the pooler is asked once what is missing')
})

const EXPECTED = {
  timeout: '2500ms',
  lockTimeout: '2400ms',
  idle: '5s',
  jit: 'off',
  plans: 'force_generic_plan',
  zone: 'UTC',
  style: 'ISO, MDY',
  at: '2026-07-01T09:30:00.000Z',
}

const readSettings = (db: Db) =>
  sql`
  select current_setting('statement_timeout') as timeout, current_setting('lock_timeout') as "lockTimeout",
    current_setting('idle_in_transaction_session_timeout') as idle, current_setting('jit') as jit,
    current_setting('plan_cache_mode') as plans, current_setting('timezone') as zone,
    current_setting('datestyle') as style, '2026-07-01 09:30Z'::timestamptz as at
  where ${true}`.execute(db)

t.test(
  'every statement has the settings of the service, whatever session a pooler gives it',
  { skip },
  async (t) => {
    const { url: direct } = await createDatabase(t)
    const database = new URL(direct).pathname.slice(1)
    const { url } = await openPgBouncer(t, direct, { mode: 'transaction', settings: NOT_KEEPING })
    for (const setting of [
      "timezone = 'Asia/Kolkata'",
      "datestyle = 'German'",
      'statement_timeout = 0',
    ])
      await runOnServer(direct, `alter database ${database} set ${setting}`)
    let warnings = 0
    const db = openPool(t, url, () => {
      warnings += 1
    })
    const alone = Array.from({ length: 30 }, () => readSettings(db))
    const together = Array.from({ length: 30 }, () => inTransaction(db, (tx) => readSettings(tx)))
    for (const { rows } of await Promise.all([...alone, ...together])) t.same(rows, [EXPECTED])
    t.ok(warnings <= 1)
    const other = new pg.Client({ connectionString: url })
    await other.connect()
    t.teardown(() => other.end())
    const { rows } = await other.query('show statement_timeout')
    t.same(rows, [{ statement_timeout: '0' }], 'and another client has its own')
    t.same((await readSettings(openPool(t, direct))).rows, [EXPECTED], 'as without a pooler')
  },
)

t.test(
  'a failed statement behind a pooler leaves nothing, and the next one works',
  { skip },
  async (t) => {
    const { url: direct } = await createDatabase(t)
    const { url } = await openPgBouncer(t, direct, { mode: 'transaction', settings: NOT_KEEPING })
    const db = openPool(t, url)
    await sql`create table numbers (n int unique)`.execute(db)
    const insert = (n: number) => sql`insert into numbers values (${n})`.execute(db)
    await insert(1)
    await t.rejects(insert(1), { code: '23505' })
    t.equal((await insert(2)).numAffectedRows, 1n)
    t.same((await sql`select n from numbers`.execute(db)).rows, [{ n: 1 }, { n: 2 }])
  },
)
