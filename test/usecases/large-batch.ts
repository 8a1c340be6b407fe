import { once } from 'node:events'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import type { Tables } from '../../src/postgres/connection/tables.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { FILL_TALLIES } from '../tallies.ts'

type Json = Record<string, any>

type Size = { readonly comments: number; readonly threads: number }

const SITE = '/v1/sites/default'
/** The machine may have other things to do. */
const PATIENCE_MS = 600_000

/** Runs statements without a time-out. */
export const runStatements = async (url: string, statements: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statements)
  await client.end()
}

/** Threads of comments that wait for a moderator, some of them with flags, below one that is public. */
const seed = (url: string, { comments, threads }: Size): Promise<void> =>
  runStatements(
    url,
    `
    set session_replication_role = replica;
    insert into authors (site_id, name) select 1, 'Ada ' || n from generate_series(1, 100) n;
    insert into threads (site_id, article_id, version, comment_count, root_count, last_comment_at)
    select 1, 'article-' || n, 1, 1, 1, '2026-01-01' from generate_series(1, ${threads}) n;
    insert into comments (site_id, thread_id, author_id, status, created_at, published_at,
      body, body_html, renderer)
    select 1, id, 1, 'approved', '2026-01-01', '2026-01-01', 'x', '<p>x</p>', 1
    from threads order by id;
    insert into comments (site_id, thread_id, parent_id, depth, author_id, status, created_at,
      body, body_html, renderer, flag_count)
    select 1, 1 + n % ${threads}, 1 + n % ${threads}, 1, 1 + n % 100, 'pending', '2026-01-02',
      'y', '<p>y</p>', 1, case when n % 100 = 0 then 1 else 0 end
    from generate_series(1, ${comments}) n;
    ${FILL_TALLIES};
    insert into flags (site_id, thread_id, comment_id, author_id, reason, flagged_at)
    select site_id, thread_id, id, 1, 'spam', created_at from comments where flag_count > 0;
    analyze comments, comment_tallies, threads`,
  )

/** Runs queries on a connection without time-outs, and waits until it is closed. */
export const withoutTimeouts = async <T>(
  url: string,
  query: (db: Kysely<Tables>) => Promise<T>,
): Promise<T> => {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  const removed = once(pool, 'remove')
  const result = await query(db).finally(() => db.destroy())
  await removed
  return result
}

/** Counts again, however long that takes. */
export const recountAll = async ({ url }: TestService): Promise<string[]> => {
  await runStatements(url, 'analyze comments, comment_tallies, threads, votes')
  return withoutTimeouts(url, recount)
}

/** One line for all that is stored of comments and threads, but for versions. */
const print = async ({ db }: TestService): Promise<Json> => {
  const { rows } = await sql<Json>`
    select (select md5(string_agg(concat_ws(' ', id, status, reply_count, flag_count, published_at,
        active_at, shown), ',' order by id))
        from comments join comment_tallies k on k.comment_id = id) as comments,
      (select md5(string_agg(concat_ws(' ', id, comment_count, root_count, last_comment_at), ','
        order by id)) from threads) as threads,
      (select count(*) from flags where resolved_at is null) as flags`.execute(db)
  return rows[0]!
}

/** Tests a batch of this size: decide by filter, undo, recount. */
export const testLargeBatch = ({ comments, threads }: Size): void => {
  t.test(
    `${comments} held comments are rejected by a filter and restored by an undo, and every count is true`,
    async (t) => {
      t.setTimeout(PATIENCE_MS)
      const service = await openService(t)
      await seed(service.url, { comments, threads })
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
      t.equal(before.flags, comments / 100)
      const order = { filter: { status: ['pending'] }, expected_count: comments, to: 'rejected' }
      t.match((await send('POST', '/decisions', { ...order, dry_run: true })).body, {
        total: comments,
        outcomes: { changed: comments },
        items: [],
      })
      const { status, body } = await send('POST', '/decisions', order)
      t.equal(status, 202)
      t.match(await ended(body.batch.id), { total: comments, done: comments, changed: comments })
      t.match((await send('GET', '/counts')).body, { pending: 0, rejected: comments })
      t.same(await recountAll(service), [])
      const undone = await send('POST', `/batches/${body.batch.id}/undos`)
      t.equal(undone.status, 202)
      t.match(await ended(undone.body.batch.id), {
        total: comments,
        done: comments,
        changed: comments,
      })
      t.same(await print(service), before)
      t.same(await recountAll(service), [])
      const { rows } = await sql<Json>`
    select count(*) as all, count(undoes) as undone, count(distinct undoes) as once,
      count(distinct comment_id) as comments from decisions`.execute(service.db)
      t.same(rows, [{ all: 2 * comments, undone: comments, once: comments, comments: comments }])
    },
  )
}
