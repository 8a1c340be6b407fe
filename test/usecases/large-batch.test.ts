import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import type { Tables } from '../../src/postgres/connection/tables.ts'
import { runBatches } from '../../src/usecases/jobs/run-batches.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const COMMENTS = 100_000
const THREADS = 500
/** The machine may have other things to do. */
const PATIENCE_MS = 600_000

t.setTimeout(PATIENCE_MS)

/** Statements that take as long as they take. */
const patiently = async (url: string, statements: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statements)
  await client.end()
}

/** Threads of comments that wait for a moderator, some of them with flags, below one that is public. */
const seed = (url: string): Promise<void> =>
  patiently(
    url,
    `
    set session_replication_role = replica;
    insert into authors (site_id, name) select 1, 'Ada ' || n from generate_series(1, 100) n;
    insert into threads (site_id, article_id, version, comment_count, root_count, last_comment_at)
    select 1, 'article-' || n, 1, 1, 1, '2026-01-01' from generate_series(1, ${THREADS}) n;
    insert into comments (site_id, thread_id, author_id, status, created_at, published_at, active_at,
      body, body_html, renderer)
    select 1, id, 1, 'approved', '2026-01-01', '2026-01-01', '2026-01-01', 'x', '<p>x</p>', 1
    from threads order by id;
    insert into comments (site_id, thread_id, parent_id, depth, author_id, status, created_at, active_at,
      body, body_html, renderer, flag_count)
    select 1, 1 + n % ${THREADS}, 1 + n % ${THREADS}, 1, 1 + n % 100, 'pending', '2026-01-02',
      '2026-01-02', 'y', '<p>y</p>', 1, case when n % 100 = 0 then 1 else 0 end
    from generate_series(1, ${COMMENTS}) n;
    insert into flags (site_id, thread_id, comment_id, author_id, reason, flagged_at)
    select site_id, thread_id, id, 1, 'spam', created_at from comments where flag_count > 0;
    analyze comments, threads`,
  )

/** Counts again, however long that takes. */
const recountAll = async ({ url }: TestService): Promise<string[]> => {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return recount(db).finally(() => db.destroy())
}

/** One line for all that is stored of comments and threads, but for versions. */
const print = async ({ db }: TestService): Promise<Json> => {
  const { rows } = await sql<Json>`
    select (select md5(string_agg(concat_ws(' ', id, status, reply_count, flag_count, published_at,
        active_at, shown), ',' order by id)) from comments) as comments,
      (select md5(string_agg(concat_ws(' ', id, comment_count, root_count, last_comment_at), ','
        order by id)) from threads) as threads,
      (select count(*) from flags where resolved_at is null) as flags`.execute(db)
  return rows[0]!
}

t.test(
  '100,000 held comments: rejected by a filter, undone, and every count is true',
  async (t) => {
    const service = await openService(t)
    await seed(service.url)
    const send = (method: string, path: string, body?: Json) =>
      service.call(method, `${SITE}/moderation${path}`, { token: service.adminKey, body })
    const ended = (id: string): Promise<Json> =>
      until(
        'the batch to end',
        async () => {
          const { body } = await send('GET', `/batches/${id}`)
          return body.ended_at && body
        },
        PATIENCE_MS,
      )
    const before = await print(service)
    t.equal(before.flags, COMMENTS / 100)
    const order = { filter: { status: ['pending'] }, expected_count: COMMENTS, to: 'rejected' }
    t.match((await send('POST', '/decisions', { ...order, dry_run: true })).body, {
      total: COMMENTS,
      outcomes: { changed: COMMENTS },
      items: [],
    })
    const { status, body } = await send('POST', '/decisions', order)
    t.equal(status, 202)
    t.match(await ended(body.batch.id), { total: COMMENTS, done: COMMENTS, changed: COMMENTS })
    t.match((await send('GET', '/counts')).body, { pending: 0, rejected: COMMENTS })
    t.same(await recountAll(service), [])
    const undone = await send('POST', `/batches/${body.batch.id}/undo`)
    t.equal(undone.status, 202)
    t.match(await ended(undone.body.batch.id), {
      total: COMMENTS,
      done: COMMENTS,
      changed: COMMENTS,
    })
    t.same(await print(service), before)
    t.same(await recountAll(service), [])
    const { rows } = await sql<Json>`
    select count(*) as all, count(undoes) as undone, count(distinct undoes) as once,
      count(distinct comment_id) as comments from decisions`.execute(service.db)
    t.same(rows, [{ all: 2 * COMMENTS, undone: COMMENTS, once: COMMENTS, comments: COMMENTS }])
  },
)

t.test('a batch goes on where it was left, and never twice at the same time', async (t) => {
  const service = await openService(t)
  await patiently(
    service.url,
    `insert into authors (site_id, name) values (1, 'Ada');
    insert into threads (site_id, article_id) select 1, n from generate_series(1, 7) n;
    insert into comments (site_id, thread_id, author_id, status, created_at, active_at, body, body_html,
      renderer)
    select 1, 1 + n % 7, 1, 'pending', now(), now(), 'y', '<p>y</p>', 1
    from generate_series(1, 9000) n;
    insert into batches (site_id, kind, request, asked_by, asked_at, total)
    values (1, 'decide', '{"to": "approved", "reason": null, "note": null, "replies": "keep"}', 'k1',
      now(), 9000);
    insert into batch_items (site_id, batch_id, thread_id, comment_id, place, seen)
    select 1, b.id, c.thread_id, c.id, 0, 'pending' from batches b, comments c`,
  )
  const idle = { ...service, kick: () => {} }
  const looks = [false, true]
  const afterOneStep = {
    get aborted() {
      return looks.shift() ?? true
    },
  } as AbortSignal
  await runBatches(idle, afterOneStep)
  const left = await sql<Json>`select done, ended_at from batches`.execute(service.db)
  t.same(left.rows, [{ done: 5000, endedAt: null }])
  const never = new AbortController().signal
  await Promise.all([1, 2, 3].map(() => runBatches(idle, never)))
  await runBatches(idle, never)
  const { rows } = await sql<Json>`
    select b.done, b.changed, b.ended_at is not null as ended,
      (select count(*) from decisions where batch_id = b.id) as decisions from batches b`.execute(
    service.db,
  )
  t.same(rows, [{ done: 9000, changed: 9000, ended: true, decisions: 9000 }])
  t.same(await recount(service.db), [])
})
