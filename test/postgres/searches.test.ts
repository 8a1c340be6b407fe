import pg from 'pg'
import t, { type Test } from 'tap'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { findAuthorPage, findMemberPage } from '../../src/postgres/people/search.ts'
import { findThreadPage, THREAD_SORTS } from '../../src/postgres/threads/search.ts'
import { createDatabase } from '../servers.ts'
import { explain } from './explaining.ts'

/** Plans of searches on a site with 30,000 threads and 30,000 authors. Judged by plan and rows, never by time. */

const SCANNED = 2_000

const SEED = `
  insert into sites (slug, name) values ('default', 'Default'), ('other', 'Other');
  insert into threads (site_id, article_id, title, state, comment_count, last_comment_at)
  select 1 + n % 2, 't' || n, 'Title ' || n,
    (case when n % 500 < 2 then 'hidden' when n % 3 = 0 then 'closed' else 'open' end)::thread_state,
    1, timestamptz '2026-01-01Z' + n * 37 % 60000 * interval '1 minute'
  from generate_series(1, 60000) n;
  insert into authors (site_id, kind, name, email, subject, role, suspended_at)
  select 1 + n % 2, (case when n % 50 < 2 then 'member' else 'guest' end)::author_kind,
    'Author ' || n, n || '@example.org', case when n % 50 < 2 then n end,
    (case when n % 1000 < 2 then 'moderator' else 'reader' end)::author_role,
    case when n % 1000 < 4 then now() end
  from generate_series(1, 60000) n;
  insert into comment_addresses (site_id, written_at, comment_id, author_id, network, address_hash)
  select 1 + n % 2, timestamptz '2026-01-01Z' + n * interval '1 minute', n, n,
    '10.' || n / 4 % 50 || '.' || n / 250 || '.0/24', ''
  from generate_series(1, 60000) n`

/** The first statement of a search: `explain` responds to it without rows, so no second one follows. */
const firstOf = (search: (db: Db) => Promise<unknown>) => (db: Db) => search(db).catch(() => {})

const openSite = async (t: Test): Promise<Db> => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(SEED)
  await client.query('vacuum (analyze) threads, authors, comment_addresses')
  await client.end()
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  return db
}

const INDEXES = { active: 'threads_by_activity', newest: 'threads_pkey' }

t.test('searches of a large site', async (t) => {
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

  const page = { siteId: 1, limit: 20, after: null }

  await t.test(
    'an unfiltered page of people, and one by a rare text, read one index',
    async (t) => {
      const lists = [
        [findMemberPage, 'authors_members', 1_200],
        [findAuthorPage, 'authors_pkey', SCANNED],
      ] as const
      for (const [find, index, most] of lists)
        for (const [more, rowsOfPage] of [
          [{}, page.limit + 1],
          [{ q: 'unheard' }, most],
        ] as const) {
          const { nodes, rows } = await explain(
            db,
            (asked) => find(asked, { ...page, ...more }),
            'authors',
          )
          t.same([...new Set(nodes.flatMap((node) => node['Index Name'] ?? []))], [index])
          t.ok(rows <= rowsOfPage, `${rows} rows`)
        }
    },
  )

  await t.test('a filter with an index finds its rows by that index', async (t) => {
    const searches = [
      [{ name: 'author 5999' }, 'authors_by_name', 10],
      [{ email: '20000@EXAMPLE.org' }, 'authors_by_email', 1],
      [{ role: 'moderator' }, 'authors_with_role', 60],
      [{ isSuspended: true }, 'authors_suspended', 120],
    ] as const
    for (const [more, index, count] of searches) {
      const ask = firstOf((asked) => findAuthorPage(asked, { ...page, ...more }))
      const { nodes, rows } = await explain(db, ask, 'authors')
      const used = nodes.flatMap((node) => node['Index Name'] ?? [])
      t.ok(used.includes(index), `${index}: ${used.join(' ')}`)
      t.ok(rows <= count, `${rows} rows`)
      const { ids } = await findAuthorPage(db, { ...page, ...more })
      t.ok(ids.length > 0)
    }
  })

  await t.test('a network finds its authors by its index', async (t) => {
    const ask = firstOf((asked) => findAuthorPage(asked, { ...page, network: '10.7.0.0/16' }))
    const { nodes, rows } = await explain(db, ask, 'comment_addresses')
    const used = nodes.flatMap((node) => node['Index Name'] ?? [])
    t.same(used, ['comment_addresses_of_network'])
    t.ok(rows <= 700, `${rows} rows`)
    t.equal((await findAuthorPage(db, { ...page, network: '10.7.0.0/16' })).ids.length, 20)
  })

  await t.test('a network with very many comments finds its authors page by page', async (t) => {
    const { ids, next } = await findAuthorPage(db, { ...page, network: '10.0.0.0/8' })
    t.equal(ids.length, 20)
    t.match(next, [0, Number])
  })
})
