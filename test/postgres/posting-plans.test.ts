import pg from 'pg'
import t from 'tap'
import { insertPosts } from '../../src/postgres/comments/insert.ts'
import { askFacts } from '../../src/postgres/screening/recent-posts.ts'
import { openService } from '../service.ts'
import { listNodes, type Plan } from './explaining.ts'

/** The plan of a statement for all values. It does not run. */
const planOf = async (client: pg.Client, statement: { sql: string }): Promise<Plan[]> => {
  const { rows } = await client.query(`explain (generic_plan, format json) ${statement.sql}`)
  return listNodes(rows[0]['QUERY PLAN'][0].Plan)
}

const FACTS = {
  siteId: 1,
  threadIds: [],
  articleIds: [],
  authorIds: [],
  exceptOfAuthors: [],
  addressHashes: [],
  fingerprints: [],
  minHashes: [],
  nameSkeletons: [],
  againIds: [],
}

t.test('plans of posts for a database that was seeded a moment ago', async (t) => {
  const { url } = await openService(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  await client.query(`insert into threads (site_id, article_id)
    select 1, 'a' || n from generate_series(1, 1500) n`)
  await client.query('analyze threads')
  await client.query(`insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint,
      sketch, arrived_at)
    select 1, n, n, n, decode(lpad(to_hex(n % 9), 32, '0'), 'hex'), n, array_fill(n::bigint, array[24]), now()
    from generate_series(1, 500) n`)

  t.test('the facts read recent posts in the order of an index', async (t) => {
    const nodes = await planOf(client, askFacts(FACTS))
    const scans = nodes.filter((node) => node['Relation Name'] === 'arrivals')
    t.ok(scans.length > 0)
    for (const scan of scans) t.match(scan['Node Type'], /^Index (Only )?Scan$/)
    t.notMatch(nodes.flatMap((node) => node['Sort Key'] ?? []).join(), 'arrived_at')
  })

  t.test('an insert of posts finds their threads by key', async (t) => {
    const nodes = await planOf(client, insertPosts({ siteId: 1, renderer: 1, threads: [] }, []))
    const scans = nodes.filter(
      (node) => node['Relation Name'] === 'threads' && node['Node Type'] !== 'ModifyTable',
    )
    t.same(new Set(scans.map((scan) => scan['Index Name'])), new Set(['threads_pkey']))
  })
})
