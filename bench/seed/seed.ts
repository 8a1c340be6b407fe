import pg from 'pg'
import { createDb } from '../../src/postgres/connection/db.ts'
import { migrate } from '../../src/postgres/connection/migrate.ts'
import { ensureSecret } from '../../src/postgres/service/secrets.ts'
import { insertSite } from '../../src/postgres/service/sites.ts'
import { ID_SECRET } from '../../test/ids.ts'
import { shapeThread } from './shape.ts'
import { RENDERER_VERSION, writeTexts } from './texts.ts'

/** The number of all comments, and the sizes of the threads that have more than `THREAD` comments. */
export type Plan = { readonly comments: number; readonly large: readonly number[] }

/**
 * The contents of a seeded database. An article's id is the id of its thread. The first `threads` articles
 * have `THREAD` comments each.
 */
export type Seeded = Plan & {
  readonly threads: number
  /** The articles of the large threads, by size. */
  readonly largeArticles: Readonly<Record<number, number>>
  /** Publication times of the first and the last comment in seconds since 1970. */
  readonly published: readonly [number, number]
}

export const THREAD = 100
/** The number of threads that grow in turn, so that a thread's rows are neither adjacent nor scattered over
 * the whole table. */
const CONTEMPORARIES = 100
const COMMENTS_PER_AUTHOR = 10
const SPAN_SECONDS = 365 * 86_400

/** Migrates an empty database and fills it in bulk with correct stored counts. */
export const seed = async (url: string, plan: Plan): Promise<Seeded> => {
  await migrate({ url })
  const site = createDb({ url, max: 1, onError: () => {} })
  await insertSite(site.db, { slug: 'default', name: 'Default' })
  await ensureSecret(site.db, 'ids', Buffer.from(ID_SECRET))
  await site.close()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await fill(client, plan)
  } finally {
    await client.end()
  }
}

const fill = async (client: pg.Client, plan: Plan): Promise<Seeded> => {
  const threads = listThreads(plan)
  const lastId = Math.max(...threads.map(({ size, start, stride }) => start + (size - 1) * stride))
  const ended = Math.floor(Date.now() / 1000)
  const begun = ended - SPAN_SECONDS
  await client.query(SESSION)
  await insertShapes(client, threads)
  await insertTexts(client)
  const { rows: indexes } = await client.query<{ name: string; indexdef: string }>(SECONDARY)
  for (const { name } of indexes) await client.query(`drop index ${name}`)
  await client.query(AUTHORS, [Math.ceil(plan.comments / COMMENTS_PER_AUTHOR)])
  await client.query(COMMENTS, [
    begun,
    SPAN_SECONDS / lastId,
    Math.ceil(plan.comments / COMMENTS_PER_AUTHOR),
    RENDERER_VERSION,
  ])
  await client.query(TALLIES, [begun, SPAN_SECONDS / lastId])
  await client.query(ADDRESSES)
  await client.query(THREADS, [begun, SPAN_SECONDS / lastId])
  for (const { indexdef } of indexes) await client.query(indexdef)
  await client.query(SEQUENCES)
  for (const table of ['comments', 'comment_tallies', 'threads', 'authors', 'sites'])
    await client.query(`vacuum (analyze) ${table}`)
  await client.query('checkpoint')
  const large = threads.filter(({ size }) => size !== THREAD)
  return {
    ...plan,
    threads: threads.length - large.length,
    largeArticles: Object.fromEntries(large.map(({ thread, size }) => [size, thread])),
    published: [begun, ended],
  }
}

/** The comment at `place` has the id `start + (place - 1) * stride`; ids are in the order of time. */
type SeededThread = { thread: number; size: number; start: number; stride: number }

const listThreads = ({ comments, large }: Plan): SeededThread[] => {
  const inLarge = large.reduce((sum, size) => sum + size, 0)
  const count = Math.floor((comments - inLarge) / THREAD)
  const turns = CONTEMPORARIES * THREAD
  const threads = Array.from({ length: count }, (_, n) => ({
    thread: n + 1,
    size: THREAD,
    start: inLarge + Math.floor(n / CONTEMPORARIES) * turns + (n % CONTEMPORARIES) + 1,
    stride: CONTEMPORARIES,
  }))
  let start = 1
  for (const size of large) {
    threads.push({ thread: threads.length + 1, size, start, stride: 1 })
    start += size
  }
  return threads
}

/** The seed skips foreign key checks, because its rows satisfy them. A crashed seed starts again. */
const SESSION = `
  set session_replication_role = replica;
  set synchronous_commit = off;
  set maintenance_work_mem = '512MB';
  set work_mem = '256MB';
  set jit = off;
  create temp table seeded_threads (thread int, size int, start int, stride int);
  create temp table shapes (size int, place int, parent int, depth int, replies int, newest int);
  create temp table texts (n int, body text, html text)`

const insertShapes = async (client: pg.Client, threads: SeededThread[]): Promise<void> => {
  await client.query(
    `insert into seeded_threads select * from
      unnest($1::int[], $2::int[], $3::int[], $4::int[])`,
    columnsOf(threads, ['thread', 'size', 'start', 'stride']),
  )
  for (const size of new Set(threads.map((thread) => thread.size))) {
    const nodes = shapeThread(size)
    await client.query(
      `insert into shapes select ${size}, * from
        unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::int[])`,
      columnsOf(nodes, ['place', 'parent', 'depth', 'replies', 'newest']),
    )
  }
  await client.query('analyze seeded_threads, shapes')
}

const insertTexts = async (client: pg.Client): Promise<void> => {
  const texts = writeTexts().map((text, n) => ({ n, ...text }))
  await client.query(
    'insert into texts select * from unnest($1::int[], $2::text[], $3::text[])',
    columnsOf(texts, ['n', 'body', 'html']),
  )
  await client.query('analyze texts')
}

const columnsOf = <T>(rows: readonly T[], names: readonly (keyof T)[]): unknown[] =>
  names.map((name) => rows.map((row) => row[name]))

const SECONDARY = `
  select indexname as name, indexdef from pg_indexes
  where tablename in ('comments', 'comment_tallies') and indexname not like '%_pkey'`

const AUTHORS = `
  insert into authors (site_id, id, kind, name, url) overriding system value
  select 1, n, 'guest', (array['Ada', 'Grace', 'Alan', 'Barbara', 'Edsger', 'Frances', 'Donald'])[n % 7 + 1]
    || ' ' || n, case when n % 5 = 0 then 'https://example.org/~' || n end
  from generate_series(1, $1::int) n`

const time = (id: string): string =>
  `to_timestamp($1::float8 + $2::float8 * (${id}))::timestamptz(3)`
const idAt = (place: string): string => `(t.start + (${place} - 1) * t.stride)`

const NODES = `
    select t.thread, ${idAt('s.place')} as id, s.depth, s.replies,
      case when s.parent = 0 then 0 else ${idAt('s.parent')} end as parent,
      ${idAt('s.newest')} as newest
    from seeded_threads t join shapes s using (size)
    order by 2`

const COMMENTS = `
  insert into comments (site_id, thread_id, id, parent_id, depth, author_id, status, created_at,
    published_at, body, body_html, renderer, screening)
  overriding system value
  select 1, n.thread, n.id, n.parent, n.depth, 1 + (hashint4(n.id) & 1073741823) % $3::int,
    'approved', ${time('n.id')}, ${time('n.id')}, b.body, b.html, $4::int, '[]'
  from (${NODES}) n join texts b on b.n = (hashint4(n.id) & 1073741823) % (select count(*) from texts)`

const TALLIES = `
  insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible,
    reply_count, active_at, upvotes, downvotes)
  select 1, n.thread, n.id, n.parent, ${time('n.id')}, true, n.replies, ${time('n.newest')},
    hashint4(n.id) & 31, hashint4(-n.id) & 15
  from (${NODES}) n`

const ADDRESSES = `
  insert into comment_addresses (site_id, written_at, comment_id, network, address_hash)
  select site_id, created_at, id, '192.0.2.0/24', decode(md5(id::text), 'hex') from comments`

const THREADS = `
  insert into threads (site_id, id, article_id, title, url, version, comment_count, root_count,
    last_comment_at, created_at)
  overriding system value
  select 1, t.thread, t.thread::text, 'Article ' || t.thread,
    'https://example.org/articles/' || t.thread,
    (extract(epoch from ${time(idAt('t.size'))}) * 1000000)::bigint, t.size,
    (select count(*) from shapes s where s.size = t.size and s.parent = 0),
    ${time(idAt('t.size'))}, ${time('t.start')}
  from seeded_threads t`

const SEQUENCES = ['comments', 'threads', 'authors']
  .map(
    (table) =>
      `select setval(pg_get_serial_sequence('${table}', 'id'), (select max(id) from ${table}))`,
  )
  .join(';')
