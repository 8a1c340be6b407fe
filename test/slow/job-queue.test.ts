import { sql } from 'kysely'
import t from 'tap'
import { authorJob } from '../../src/domain/job.ts'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { enqueueJob } from '../../src/postgres/jobs/jobs.ts'
import { createDatabase } from '../servers.ts'
import { start, until } from '../start.ts'
import { FILL_TALLIES } from '../tallies.ts'

const KIND = 'refresh_author'

const openDb = async (t: { teardown: (close: () => Promise<void>) => void }) => {
  const { url } = await createDatabase(t)
  const { db, close } = createDb({ url, max: 8, onError: () => {} })
  t.teardown(close)
  return { db, url }
}

const listKeys = async (db: Db): Promise<string[]> =>
  (await db.selectFrom('jobs').select('key').execute()).map(({ key }) => key)

t.test('an operator sees a job that was given up: log, metric and readiness', async (t) => {
  const { db, url } = await openDb(t)
  const job = authorJob(KIND, { siteId: 1, authorId: 1 })
  await db.transaction().execute((tx) => enqueueJob(tx, job))
  await sql`update jobs set attempts = 25`.execute(db)
  const node = start(t, { DATABASE_URL: url })
  const address = await node.ready()
  await until('for the job to be given up', () => /"msg":"job given up"/.test(node.out()))
  const line = node
    .out()
    .split('\n')
    .find((text) => text.includes('job given up'))
  t.match(JSON.parse(line!), { level: 50, job: KIND, key: '1', attempts: 26 })
  const health = await (await fetch(`${address}/readyz`)).json()
  t.match(health, { status: 'degraded', checks: { jobs: `given up: ${KIND}` } })
  const metrics = await (await fetch(`${address}/metrics`)).text()
  t.match(metrics, `afterword_jobs{kind="${KIND}",state="failed"} 1`)
  await sql`delete from jobs where kind = ${KIND}`.execute(db)
  const recovered = (await (await fetch(`${address}/readyz`)).json()) as {
    checks: { jobs?: string }
  }
  t.same(recovered.checks.jobs, undefined)
})

const COMMENTS = 9_000
const THREADS = 90
/** The lease of 8 s, the poll of 2 s, and what a busy machine adds. */
const TAKEOVER_MS = 15_000

const storeBatch = (db: Db) =>
  db.transaction().execute(async (tx) => {
    await sql`insert into authors (site_id, name) values (1, 'Ada')`.execute(tx)
    await sql`
      insert into threads (site_id, article_id) select 1, n from generate_series(1, ${THREADS}) n`.execute(
      tx,
    )
    await sql`
      insert into comments (site_id, thread_id, author_id, status, created_at, body, body_html,
        renderer)
      select 1, 1 + n % ${THREADS}, 1, 'pending', now(), 'y', '<p>y</p>', 1
      from generate_series(1, ${COMMENTS}) n`.execute(tx)
    await sql.raw(FILL_TALLIES).execute(tx)
    await sql`
      insert into batches (site_id, kind, request, asked_by, asked_at, total)
      values (1, 'decide', '{"to": "approved", "reason": null, "note": null, "replies": "keep"}', 'k1',
        now(), ${COMMENTS})`.execute(tx)
    await sql`
      insert into batch_items (site_id, batch_id, thread_id, comment_id, place, seen)
      select 1, b.id, c.thread_id, c.id, 0, 'pending' from batches b, comments c`.execute(tx)
    await sql`
      insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
      select 1, 'run_batch', id, jsonb_build_object('batchId', id), now(), now() from batches`.execute(
      tx,
    )
  })

t.test(
  'another node continues the batch of a killed node, and decides on each comment once',
  async (t) => {
    const { db, url } = await openDb(t)
    const settings = { DATABASE_URL: url, AFTERWORD_SECRET: 'a secret that both nodes are given' }
    const [killed, other] = [start(t, settings), start(t, settings)]
    await Promise.all([killed.ready(), other.ready()])
    const countDecisions = async () =>
      (await sql<{ n: number }>`select count(*) as n from decisions`.execute(db)).rows[0]!.n
    other.child.kill('SIGSTOP')
    await storeBatch(db)
    const before = await until('for the first decisions', countDecisions)
    await killed.stop('SIGKILL')
    const killedAt = performance.now()
    other.child.kill('SIGCONT')
    const left = await countDecisions()
    t.ok(before <= left && left < COMMENTS, `${left} decisions when the node was killed`)
    await until('for the next decision', async () => (await countDecisions()) > left)
    const tookOverMs = Math.round(performance.now() - killedAt)
    t.ok(tookOverMs < TAKEOVER_MS, `the other node took over after ${tookOverMs} ms`)
    await until('for the batch to end', async () => (await listKeys(db)).every((key) => key === ''))
    const { rows } = await sql`
    select b.done, b.changed, b.ended_at is not null as ended, (select count(*) from decisions) as decisions,
      (select count(distinct comment_id) from decisions) as comments from batches b`.execute(db)
    t.same(rows, [
      { done: COMMENTS, changed: COMMENTS, ended: true, decisions: COMMENTS, comments: COMMENTS },
    ])
    t.equal(await other.stop(), 0)
  },
)
