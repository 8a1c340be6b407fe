import pg from 'pg'
import t, { type Test } from 'tap'
import { MAX_SHOWN, type Place } from '../../src/domain/comment/place.ts'
import { isRanked, SORTS, type Sort } from '../../src/domain/comment/sort.ts'
import { findCommentPage, findFlatPage, findTreePage } from '../../src/postgres/comments/pages.ts'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { createDatabase } from '../servers.ts'
import { type Explained, explain, type Plan } from './explaining.ts'

/**
 * Plans of a page of a thread of 50,000 comments. The tests assert plan, rows and buffers,
 * never by time; the times are printed.
 */

const INDEXES: Record<Sort, string> = {
  newest: 'comment_tallies_children',
  oldest: 'comment_tallies_children',
  top: 'comment_tallies_top',
  best: 'comment_tallies_best',
  hot: 'comment_tallies_hot',
  controversial: 'comment_tallies_controversial',
  active: 'comment_tallies_active',
}

/**
 * The thread: 20,000 roots, the first of them with 20,000 replies; the eighty that are oldest, newest
 * and best liked have fifty replies each, some of those thirty; a chain as deep as may be.
 */
const BIG_THREAD = 1
const BIG_ROOT = 1
const CHAIN_START = 49_900
const CHAIN_END = 50_000

const SEED = `
  -- Without triggers and foreign keys, Postgres stores the rows faster.
  set session_replication_role = replica;
  select setseed(0.5);
  insert into sites (slug, name) values ('default', 'Default');
  insert into authors (site_id, name) select 1, 'author ' || n from generate_series(1, 2000) n;
  insert into threads (site_id, article_id, version)
    select 1, case n when 1 then 'big' else 'small ' || n end, 1 from generate_series(1, 500) n;

  create temporary table plan as
  select n as id, 1 as thread_id, case
      when n <= 20000 then 0
      when n <= 40000 then ${BIG_ROOT}
      when n <= 44000 then case when n % 80 < 40 then 2 else 19961 end + n % 40
      when n < ${CHAIN_START} then 40001 + n % 200
      when n = ${CHAIN_START} then 0
      else n - 1 end::bigint as parent_id,
    case when n <= 20000 or n = ${CHAIN_START} then 0 when n <= 44000 then 1
      when n < ${CHAIN_START} then 2 else n - ${CHAIN_START} end as depth,
    n between 2 and 41 or n between 19961 and 20000 as is_liked,
    n % 50 = 49 and n between 44001 and ${CHAIN_START - 1} as is_rejected
  from generate_series(1, ${CHAIN_END}) n
  union all
  select ${CHAIN_END} + n, 2 + n / 50, 0, 0, false, false from generate_series(1, 20000) n;

  create temporary table dated as
  select p.*, time, coalesce(r.count, 0) as replies, greatest(time, r.newest) as active_at
  from plan p
  cross join lateral (select timestamptz '2026-01-01' + p.id / 3 * interval '1 second' as time) at
  left join (
    select parent_id, count(*), max(timestamptz '2026-01-01' + id / 3 * interval '1 second') as newest
    from plan where not is_rejected group by 1
  ) r on r.parent_id = p.id;

  insert into comments (id, site_id, thread_id, parent_id, depth, author_id, status, created_at,
    published_at, body, body_html, renderer)
  overriding system value
  select p.id, 1, p.thread_id, p.parent_id, p.depth, 1 + p.id % 2000,
    case when is_rejected then 'rejected' else 'approved' end::comment_status,
    time, time, repeat('text ', 40), repeat('text ', 42), 1
  from dated p order by p.id;

  insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible,
    reply_count, active_at, upvotes, downvotes)
  select 1, p.thread_id, p.id, p.parent_id, time, not is_rejected, replies, active_at,
    case when is_liked then 1000 else 0 end + floor(random() ^ 8 * 300),
    case when is_liked then 800 * (p.id % 2) else 0 end + floor(random() ^ 8 * 100)
  from dated p order by p.id;

  update threads t set comment_count = c.count, last_comment_at = c.newest from (
    select thread_id, count(*) as count, max(created_at) as newest from comments
    where status = 'approved' group by 1) c
  where t.id = c.thread_id;
  set session_replication_role = default`

const openThread = async (t: Test): Promise<{ db: Db; client: pg.Client }> => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(SEED)
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(async () => {
    await close()
    await client.end()
  })
  return { db, client }
}

const rowsInto = ({ Plans = [] }: Plan): number => {
  const inputs = Plans.filter((child) => child['Parent Relationship'] === 'Outer')
  return inputs.reduce((sum, child) => sum + child['Actual Rows'] * child['Actual Loops'], 0)
}

/** A page picks tallies and looks its comments up. */
const TABLES = ['comments', 'comment_tallies']

type Bounds = { index: string; rows: number; buffers: number }

/** By this index, and never by reading or sorting the thread. */
const assertPlan = (t: Test, name: string, found: Explained, bounds: Bounds): void => {
  const { nodes, rows, buffers, ms } = found
  const indexes = nodes
    .filter((node) => TABLES.includes(node['Relation Name']))
    .map((node) => node['Index Name'] ?? node['Node Type'])
  // The settings of the site are a row of a table that has one here.
  const others = nodes.filter((node) => node['Relation Name'] !== 'sites')
  const whole = others.filter((node) => /Seq Scan|Bitmap/.test(node['Node Type']))
  const sorted = nodes.filter((node) => /Sort/.test(node['Node Type'])).map(rowsInto)
  const places = whole.map((node) => `${node['Node Type']} on ${node['Relation Name']}`)
  t.comment(`${name}: ${ms.toFixed(2)} ms, ${rows} rows, ${buffers} buffers`)
  t.same(places, [], `${name}: no sequential scan`)
  t.ok(indexes.includes(bounds.index), `${name}: by ${bounds.index}, of ${indexes.join()}`)
  t.ok(Math.max(0, ...sorted) <= 600, `${name}: sorts ${sorted.join()}`)
  t.ok(rows <= bounds.rows, `${name}: ${rows} rows, at most ${bounds.rows}`)
  t.ok(buffers <= bounds.buffers, `${name}: ${buffers} buffers, at most ${bounds.buffers}`)
}

const FIRST = { after: null, limit: 20, depth: 4, replies: 3 }
const big = (sort: Sort) => ({ siteId: 1, parent: { articleId: 'big' }, sort, ...FIRST })
const repliesTo = (commentId: number, sort: Sort) => ({
  ...big(sort),
  parent: { threadId: BIG_THREAD, commentId },
})

/** A page of 21 rows: some index pages, a heap page and an author per comment. */
const SHALLOW = { rows: 21, buffers: 200 }
/** The budget: 501 comments, each with its tally, its author and a look for its replies. */
const BUDGET = { rows: 502, buffers: 4_500 }

t.test('50,000 comments', async (t) => {
  const { db, client } = await openThread(t)
  const tree = (request: Parameters<typeof findTreePage>[1]) =>
    explain(db, (asked) => findTreePage(asked, request), ...TABLES)
  const flat = (sort: Sort, after: Place | null, limit = 20) =>
    explain(
      db,
      (asked) => findFlatPage(asked, { siteId: 1, articleId: 'big', sort, after, limit }),
      ...TABLES,
    )

  /** The position of the comment at this offset among its siblings. */
  const positionAt = async (sort: Sort, parentId: number, offset: number) => {
    const page = { newest: 'created_at', oldest: 'created_at', top: 'score', active: 'active_at' }
    const names = { ...page, best: 'best', hot: 'hot', controversial: 'controversy' }
    const column = names[sort]
    const isTime = ['newest', 'oldest', 'active'].includes(sort)
    const key = isTime ? `extract(epoch from ${column}) * 1000` : column
    const way = sort === 'oldest' ? '' : 'desc'
    const { rows } = await client.query(`
      select (${key})::float8 as key, comment_id::int as id from comment_tallies
      where thread_id = ${BIG_THREAD} and parent_id = ${parentId} and shown
      order by ${column} ${way}, comment_id ${way} limit 1 offset ${offset}`)
    return { position: [rows[0].key, rows[0].id] as const, shown: [] }
  }

  for (const sort of SORTS) {
    await t.test(
      `sort=${sort}: a page of 50,000 comments reads few rows before the tables are analysed`,
      async (t) => {
        const index = INDEXES[sort]
        const found = await tree({ ...big(sort), depth: 1 })
        assertPlan(t, `unanalysed ${sort}, depth 1`, found, { index, ...SHALLOW })
        assertPlan(t, `unanalysed ${sort}, default`, await tree(big(sort)), { index, ...BUDGET })
      },
    )
  }

  await client.query('vacuum analyze')

  for (const sort of SORTS) {
    const index = INDEXES[sort]

    await t.test(
      `sort=${sort}: the first page of 50,000 comments reads its own rows only`,
      async (t) => {
        const found = await tree({ ...big(sort), depth: 1 })
        assertPlan(t, `${sort}, depth 1`, found, { index, ...SHALLOW })
      },
    )

    await t.test(
      `sort=${sort}: a page with replies reads no more than the page budget`,
      async (t) => {
        assertPlan(t, `${sort}, default`, await tree(big(sort)), { index, ...BUDGET })
        const most = await tree({ ...big(sort), limit: 100, depth: 10, replies: 50 })
        assertPlan(t, `${sort}, most`, most, { index, ...BUDGET })
      },
    )

    await t.test(`sort=${sort}: a late page reads as little as the first`, async (t) => {
      const after = await positionAt(sort, 0, 15_000)
      const found = await tree({ ...big(sort), after, depth: 1 })
      assertPlan(t, `${sort}, page 750`, found, { index, ...SHALLOW })
    })

    if (isRanked(sort))
      await t.test(
        `sort=${sort}: a page after ${MAX_SHOWN} shown comments reads them and its own rows`,
        async (t) => {
          const all = await findTreePage(db, { ...big(sort), limit: MAX_SHOWN - 1, depth: 1 })
          const shown = all!.rows.map(({ id }) => id)
          const bounds = { index, rows: MAX_SHOWN + 21, buffers: 1_200 }
          const next = await tree({ ...big(sort), after: { position: null, shown }, depth: 1 })
          assertPlan(t, `${sort}, page 26`, next, bounds)
          const tail = await tree({ ...big(sort), after: { position: [0, 0], shown }, depth: 1 })
          assertPlan(t, `${sort}, tail`, tail, { ...bounds, index: INDEXES.oldest })
        },
      )

    await t.test(
      `sort=${sort}: a page of 20,000 direct replies reads its own rows only`,
      async (t) => {
        const first = await tree({ ...repliesTo(BIG_ROOT, sort), depth: 1 })
        assertPlan(t, `${sort}, replies`, first, { index, rows: 22, buffers: 200 })
        const after = await positionAt(sort, BIG_ROOT, 15_000)
        const late = await tree({ ...repliesTo(BIG_ROOT, sort), after, depth: 1 })
        assertPlan(t, `${sort}, late replies`, late, { index, rows: 22, buffers: 200 })
      },
    )

    await t.test(
      `sort=${sort}: focus on a late comment, and on the end of a chain, reads the path only`,
      async (t) => {
        const [, lateId] = (await positionAt(sort, BIG_ROOT, 15_000)).position
        const bounds = { index, rows: BUDGET.rows + 4, buffers: BUDGET.buffers }
        assertPlan(t, `${sort}, late focus`, await tree({ ...big(sort), focusId: lateId }), bounds)
        const deep = await tree({ ...big(sort), focusId: CHAIN_END })
        const path = 2 * (CHAIN_END - CHAIN_START + 1)
        assertPlan(t, `${sort}, deep focus`, deep, { ...bounds, rows: bounds.rows + path })
      },
    )
  }

  await t.test('a chain of replies costs one look-up per level', async (t) => {
    const found = await tree({ ...repliesTo(CHAIN_END - 50, 'newest'), depth: 10 })
    assertPlan(t, 'in the chain', found, {
      index: 'comment_tallies_children',
      rows: 11,
      buffers: 150,
    })
  })

  await t.test('a comment with a hundred ancestors costs a hundred look-ups', async (t) => {
    const request = { siteId: 1, threadId: BIG_THREAD, commentId: CHAIN_END, ancestorCount: 100 }
    const found = await explain(db, (asked) => findCommentPage(asked, request), ...TABLES)
    assertPlan(t, 'context', found, { index: 'comments_pkey', rows: 102, buffers: 1_200 })
  })

  for (const sort of ['newest', 'oldest'] as const) {
    await t.test(
      `flat view, sort=${sort}: first and late pages read their own rows only`,
      async (t) => {
        const bounds = { index: 'comments_flat', ...SHALLOW }
        assertPlan(t, `flat ${sort}`, await flat(sort, null), bounds)
        const after = await positionAt(sort, 0, 15_000)
        assertPlan(t, `late flat ${sort}`, await flat(sort, after), bounds)
      },
    )
  }

  for (const sort of ['top', 'best', 'hot', 'controversial', 'active'] as const) {
    await t.test(`flat view, sort=${sort}: a page reads no other thread`, async (t) => {
      const { rows, buffers, ms } = await flat(sort, null)
      t.comment(`flat ${sort}: ${ms.toFixed(2)} ms, ${rows} rows, ${buffers} buffers`)
      t.ok(rows <= CHAIN_END)
    })
  }
})
