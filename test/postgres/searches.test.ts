import pg from 'pg'
import t, { type Test } from 'tap'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { findThreadPage, THREAD_SORTS } from '../../src/postgres/threads/search.ts'
import { createDatabase } from '../servers.ts'
import { explain } from './explaining.ts'

/** Plans of searches on a site with 30,000 threads. Judged by plan and rows, never by time. */

const SCANNED = 2_000

const SEED = `
  insert into sites (slug, name) values ('default', 'Default'), ('other', 'Other');
  insert into threads (site_id, article_id, title, state, comment_count, last_comment_at)
  select 1 + n % 2, 't' || n, 'Title ' || n,
    (case when n % 500 < 2 then 'hidden' when n % 3 = 0 then 'closed' else 'open' end)::thread_state,
    1, timestamptz '2026-01-01Z' + n * 37 % 60000 * interval '1 minute'
  from generate_series(1, 60000) n`

const openSite = async (t: Test): Promise<Db> => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(SEED)
  await client.query('vacuum (analyze) threads')
  await client.end()
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  return db
}

const INDEXES = { active: 'threads_by_activity', newest: 'threads_pkey' }

t.test('a page of searched threads', async (t) => {
  const db = await openSite(t)
  for (const sort of THREAD_SORTS) {
    const page = { siteId: 1, sort, limit: 20 }
    for (const after of [null, [Date.parse('2026-01-09Z'), 30_000]] as const)
      await t.test(
        `${sort}, ${after ? 'later' : 'first'} page: reads its index only`,
        async (t) => {
          const ask = (more: object) =>
            explain(db, (asked) => findThreadPage(asked, { ...page, after, ...more }), 'threads')
          for (const [filter, most] of [
            [{}, page.limit + 1],
            [{ q: 'unheard' }, SCANNED],
            [{ states: ['closed'] }, SCANNED],
          ] as const) {
            const { nodes, rows } = await ask(filter)
            t.same(
              [...new Set(nodes.flatMap((node) => node['Index Name'] ?? []))].filter(
                (name) => name !== 'sites_pkey',
              ),
              [INDEXES[sort]],
            )
            t.ok(rows <= most, `${rows} rows`)
          }
        },
      )
  }

  await t.test('a search that finds nothing says where it stopped', async (t) => {
    const search = { siteId: 1, sort: 'newest', limit: 20, after: null, q: 'unheard' } as const
    t.match(await findThreadPage(db, search), { ids: [], next: [0, Number] })
  })

  await t.test('a search for hidden threads finds all of them in one page', async (t) => {
    const search = {
      siteId: 1,
      sort: 'newest',
      limit: 100,
      after: null,
      states: ['hidden'],
    } as const
    const { ids, next } = await findThreadPage(db, search)
    t.equal(ids.length, 100)
    const rest = await findThreadPage(db, { ...search, after: next })
    t.equal(rest.ids.length, 20)
    t.equal(rest.next, null)
  })
})
