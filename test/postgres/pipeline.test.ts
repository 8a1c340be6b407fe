import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { CommitFault } from '../../src/postgres/connection/errors.ts'
import { sendTogether, sendWithCommit } from '../../src/postgres/connection/pipeline.ts'
import { prepare } from '../../src/postgres/connection/prepared.ts'
import { inTransaction } from '../../src/postgres/connection/transaction.ts'
import { openCuttingLink } from '../cutting-link.ts'
import { createDatabase } from '../servers.ts'
import { until } from '../start.ts'

type Test = Parameters<typeof createDatabase>[0]

const INSERT = prepare<{ n: number }, { n: number }>(
  (of) => sql`insert into numbers select ${of.n}::int returning n`,
)
const DIVIDE = prepare<{ by: number }, { quotient: number }>(
  (of) => sql`select 1 / ${of.by}::int as quotient`,
)
const COUNT = prepare<object, { count: number }>(
  () => sql`select count(*) from numbers where ${true}`,
)

const open = (t: Test, url: string, max = 1): Db => {
  const { db, close } = createDb({ url, max, onError: () => {} })
  t.teardown(close)
  return db
}

const openNumbers = async (t: Test) => {
  const { url } = await createDatabase(t)
  const db = open(t, url)
  await sql`create table numbers (n int)`.execute(db)
  const count = async () => (await db.executeQuery(COUNT({}))).rows[0]!.count
  return { url, db, count }
}

const errorOf = (act: Promise<unknown>): Promise<any> =>
  act.then(
    () => undefined,
    (error) => error,
  )

t.test('a prepared statement gives each value one parameter, in every place', async (t) => {
  const statement = prepare<{ a: number; b: string }, unknown>(
    (of) => sql`select ${of.a}, ${10}, ${of.b}, ${of.a}, ${10} from ${sql.ref('x')}`,
  )
  const { sql: text, parameters } = statement({ b: 'two', a: 1 })
  t.equal(text, 'select $1, $2, $3, $1, $2 from "x"')
  t.same(parameters, [1, 10, 'two'])
  t.equal(statement({ a: 3, b: 'four' }).sql, text)
  t.same(statement({ a: 3, b: 'four' }).parameters, [3, 10, 'four'])
  const built = prepare<{ siteId: number }, { articleId: string }>((of, compiler) =>
    compiler.selectFrom('threads').select('articleId').where('siteId', '=', of.siteId),
  )
  t.equal(built({ siteId: 1 }).sql, 'select "article_id" from "threads" where "site_id" = $1')
  t.same(built({ siteId: 7 }).parameters, [7])
  const literal = prepare<{ a: number }, unknown>((of) => sql`select ${of.a}, '$2', ${of.a}`)
  t.throws(() => literal({ a: 1 }), /not a parameter/)
})

t.test('the name of a prepared statement depends on its text alone', async (t) => {
  const { url } = await createDatabase(t)
  const names = async (...queries: readonly ReturnType<typeof DIVIDE>[]) => {
    const db = open(t, url)
    for (const query of queries) await db.executeQuery(query)
    const { rows } = await sql<{ name: string; statement: string }>`
      select name, statement from pg_prepared_statements where from_sql = false`.execute(db)
    return new Map(rows.map(({ name, statement }) => [statement, name]))
  }
  const other = prepare<{ by: number }, { quotient: number }>(
    (of) => sql`select 2 / ${of.by}::int as quotient`,
  )
  const one = await names(DIVIDE({ by: 1 }), other({ by: 1 }))
  const two = await names(other({ by: 2 }), DIVIDE({ by: 2 }))
  t.equal(one.size, 2)
  t.same(two, one)
  t.equal(new Set(one.values()).size, 2)
})

t.test('statements of one write see what the ones before them did', async (t) => {
  const { db } = await openNumbers(t)
  const rows = await inTransaction(db, (tx) =>
    sendTogether(tx, [INSERT({ n: 7 }), COUNT({}), undefined, DIVIDE({ by: 1 })]),
  )
  t.same(rows, [[{ n: 7 }], [{ count: 1 }], [], [{ quotient: 1 }]])
})

t.test('the last statements and the commit share a write', async (t) => {
  const { db, count } = await openNumbers(t)
  const rows = await inTransaction(db, async (tx) => {
    await tx.executeQuery(INSERT({ n: 1 }))
    return sendWithCommit(tx, [INSERT({ n: 2 })])
  })
  t.same(rows, [[{ n: 2 }]])
  t.equal(await count(), 2)
  await inTransaction(db, (tx) => sendWithCommit(tx, [INSERT({ n: 3 })]))
  t.equal(await count(), 3, 'also with begin')
  await inTransaction(db, async () => {})
  t.equal(await count(), 3, 'a transaction without statements')
  const late = inTransaction(db, async (tx) => {
    await sendWithCommit(tx, [INSERT({ n: 4 })])
    await tx.executeQuery(INSERT({ n: 5 }))
  })
  t.match(await errorOf(late), { message: 'the transaction has ended' })
  t.equal(await count(), 4)
})

t.test('the first failure of a write counts, and the write leaves nothing', async (t) => {
  const { db, count } = await openNumbers(t)
  const faulty = [INSERT({ n: 1 }), DIVIDE({ by: 0 }), INSERT({ n: 2 }), COUNT({})] as const
  for (const act of [sendTogether, sendWithCommit] as const) {
    const error = await errorOf(inTransaction(db, (tx) => act(tx, faulty)))
    t.ok(error instanceof pg.DatabaseError)
    t.equal(error.code, '22012', 'not that the transaction is aborted')
    t.equal(await count(), 0)
  }
  t.equal((await errorOf(db.executeQuery(DIVIDE({ by: 0 })))).code, '22012')
  t.equal(await count(), 0, 'the connection is good')
})

t.test('a connection that is lost before the commit leaves nothing', async (t) => {
  const { url, count } = await openNumbers(t)
  const { url: cutUrl, cutOn } = await openCuttingLink(t, url)
  const db = open(t, cutUrl)
  cutOn({ command: 'begin', when: 'after' })
  const first = inTransaction(db, (tx) => sendTogether(tx, [INSERT({ n: 1 }), COUNT({})]))
  t.match(await errorOf(first), { code: 'unavailable', cause: { message: /terminated/ } })
  t.equal(await count(), 0)
  const ended = inTransaction(db, (tx) =>
    sendWithCommit(tx, [
      INSERT({ n: 1 }),
      prepare(() => sql`select pg_terminate_backend(pg_backend_pid()) where ${true}`)({}),
    ]),
  )
  t.match(await errorOf(ended), { code: 'unavailable', cause: { code: '57P01' } })
  t.equal(await count(), 0)
})

t.test('a commit without an answer may have happened', async (t) => {
  const { url, count } = await openNumbers(t)
  const { url: cutUrl, cutOn } = await openCuttingLink(t, url)
  const db = open(t, cutUrl)
  const store = () => errorOf(inTransaction(db, (tx) => sendWithCommit(tx, [INSERT({ n: 1 })])))
  cutOn({ command: 'commit', when: 'before' })
  t.ok((await store()).cause instanceof CommitFault)
  t.equal(await count(), 0)
  cutOn({ command: 'commit', when: 'after' })
  t.ok((await store()).cause instanceof CommitFault)
  t.equal(await count(), 1)
  const plain = errorOf(inTransaction(db, (tx) => tx.executeQuery(INSERT({ n: 2 }))))
  t.equal(await plain, undefined, 'the next transaction has a new connection')
})

t.test('a statement outside a transaction runs again after a deadlock', async (t) => {
  const { url, db } = await openNumbers(t)
  await sql`insert into numbers values (1), (2)`.execute(db)
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  t.teardown(() => other.end())
  // The statement of the service is the one that Postgres ends.
  await other.query("set deadlock_timeout = '60s'; begin; update numbers set n = 20 where n = 2")
  const update = sql`
    update numbers set n = n + 100 from (select n as m from numbers order by n) o where n = m and ${true}`
  const updated = update.execute(db)
  const waits =
    "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
  await until('for the statement to wait', async () => (await other.query(waits)).rows.length > 0)
  await other.query('update numbers set n = 10 where n = 1; commit')
  await updated
  const { rows } = await sql`select n from numbers order by n`.execute(db)
  t.same(rows, [{ n: 110 }, { n: 120 }])
})
