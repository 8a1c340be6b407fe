import pg from 'pg'
import t, { type Test } from 'tap'
import type { Status } from '../../src/domain/comment/status.ts'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { findQueuePage, QUEUE_SORTS, type QueueSort } from '../../src/postgres/moderation/queue.ts'
import { findGuests } from '../../src/postgres/people/authors.ts'
import { createDatabase } from '../servers.ts'
import { explain } from './explaining.ts'

/**
 * Plans of a page of a queue of 40,000 comments that wait and 20,000 that are approved.
 * Judged by plan and rows, never by time.
 */

const INDEXES: Record<QueueSort, string> = {
  oldest: 'comments_queue',
  newest: 'comments_queue',
  flags: 'comments_flagged',
  risk: 'comments_riskiest',
}

const LOOKED_AT = 2_000

const SEED = `
  insert into sites (slug, name) values ('default', 'Default');
  insert into authors (site_id, name) select 1, 'author ' || n from generate_series(1, 2000) n;
  insert into threads (site_id, article_id, version) select 1, n, 1 from generate_series(1, 500) n;
  insert into comments (site_id, thread_id, author_id, status, created_at, published_at, body,
    body_html, renderer, risk, flag_count)
  select 1, 1 + n % 500, 1 + n % 2000, (case when n % 3 = 0 then 'approved' else 'pending' end)::comment_status,
    now(), now(), 'text ' || n, '', 1, n % 101, case when n % 50 = 0 then 1 + n % 7 else 0 end
  from generate_series(1, 60000) n`

const openQueue = async (t: Test): Promise<Db> => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(SEED)
  await client.query('vacuum (analyze) comments')
  await client.end()
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  return db
}

t.test('a page of the queue', async (t) => {
  const db = await openQueue(t)
  const statuses: Status[] = ['pending']
  for (const sort of QUEUE_SORTS) {
    const page = { siteId: 1, statuses, sort, limit: 20 }
    const ask = (more: object) =>
      explain(db, (asked) => findQueuePage(asked, { ...page, after: null, ...more }))
    await t.test(
      `the queue by ${sort} starts and continues in its index, and reads nothing else`,
      async (t) => {
        for (const after of [null, [3, 30_000]] as const) {
          const { nodes, rows } = await ask({ after })
          const used = new Set(nodes.flatMap((node) => node['Index Name'] ?? []))
          t.ok(used.has(INDEXES[sort]), [...used].join(' '))
          t.notOk(nodes.some((node) => node['Node Type'] === 'Seq Scan'))
          t.ok(rows <= 2 * (page.limit + 1), `${rows} rows`)
        }
      },
    )
    await t.test(
      `the queue by ${sort} ends a search for rare comments after ${LOOKED_AT}`,
      async (t) => {
        const { nodes, rows } = await ask({ q: 'unheard' })
        t.notOk(nodes.some((node) => node['Node Type'] === 'Seq Scan'))
        // The statement reads them for matches and again for their end; few comments have flags.
        t.ok(rows <= 3 * LOOKED_AT, `${rows} rows`)
        const found = await findQueuePage(db, { ...page, after: null, q: 'unheard' })
        t.match(found, { comments: [], next: [Number, Number] })
      },
    )
  }
  await t.test('the look-up of a guest reads none of their comments', async (t) => {
    const { nodes, rows } = await explain(db, (asked) => findGuests(asked, 1, [7]))
    t.ok(nodes.some((node) => node['Index Name'] === 'comments_shadowed'))
    t.equal(rows, 0)
  })
})
