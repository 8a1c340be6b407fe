import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from 'kysely'
import pg from 'pg'
import t from 'tap'
import { compilePolicy } from '../../src/domain/screening/compile-policy.ts'
import { draftOf, type Facts } from '../../src/domain/screening/facts.ts'
import { combine, type Finding } from '../../src/domain/screening/finding.ts'
import type { Db } from '../../src/postgres/connection/db.ts'
import { countFacts } from '../../src/postgres/screening/recent-posts.ts'
import {
  readJudgement,
  storedFacts,
  storedTrace,
} from '../../src/postgres/screening/stored-judgements.ts'
import { applyRetention } from '../../src/usecases/jobs/apply-retention.ts'
import type { Posted } from '../../src/usecases/posting/post-comment.ts'
import { IDS } from '../ids.ts'
import { goBy, policyWith } from '../policies.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { countDeadlocks, guest, openNodes, openPosting, type Some } from './posting.ts'

type Stored = {
  id: number
  status: string
  body: string
  bodyHtml: string
  name: string
  url: string | null
  facts: Facts
  trace: readonly Finding[]
  risk: number
  policyVersion: number
}

const storedOf = async ({ db }: TestService): Promise<Stored[]> => {
  const { rows } = await sql<Stored>`
    select c.id, c.status, c.body, c.body_html, a.name, a.url, ${storedFacts} as facts,
      ${storedTrace} as trace, c.risk, c.policy_version
    from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
    order by c.id`.execute(db)
  return rows.map(readJudgement)
}

const NOWHERE = Buffer.alloc(16, 1)
const LONG =
  'The second figure of this article needs a source, because I remember another one that was lower.'
const NEARLY = `${LONG.replace('lower', 'higher')} Thanks!`

t.test('Facts of posts at the same moment', async (t) => {
  const { service, publish } = await openPosting(t)
  const [first] = (await publish([{}])) as [Posted]
  const ada = guest(first.newGuestId!)
  const posts: Some[] = [
    { body: LONG, caller: ada },
    { body: LONG, addressHash: NOWHERE },
    { body: NEARLY, caller: ada, addressHash: NOWHERE },
    { body: 'Something else', author: { name: 'B', url: null, email: 'b@Mail.Example' } },
    { body: 'text' },
  ]
  await publish(posts)
  const facts = (await storedOf(service)).map((row) => row.facts)

  t.test('facts of concurrent posts count the posts before them in order', async (t) => {
    t.same(
      facts.map(({ arrivals }) => [arrivals.thread, arrivals.site, arrivals.network]),
      [
        [1, 1, 1],
        [2, 2, 2],
        [3, 3, 1],
        [4, 4, 2],
        [5, 5, 3],
        [6, 6, 4],
      ],
    )
  })

  t.test('facts of concurrent posts count equal and similar texts', async (t) => {
    t.same(
      facts.map(({ repeats }) => [repeats.same, repeats.near]),
      [
        [0, 0],
        [0, 0],
        [1, 0],
        [0, 2],
        [0, 0],
        [1, 0],
      ],
    )
  })

  t.test(
    'facts of concurrent posts know the status of the author’s earlier comments',
    async (t) => {
      t.same(
        facts.map(({ author }) => [author.approved, author.recentApproved, author.recentRejected]),
        [
          [0, 0, 0],
          [1, 1, 0],
          [0, 0, 0],
          [2, 2, 0],
          [0, 0, 0],
          [0, 0, 0],
        ],
      )
      t.equal(facts[4]!.author.emailDomain, 'mail.example')
    },
  )

  t.test('facts of concurrent posts know the age of the thread', async (t) => {
    const { rows } = await sql<any>`select created_at from threads`.execute(service.db)
    t.equal(facts[0]!.threadSince, null, 'with this comment')
    t.equal(facts[1]!.threadSince, rows[0].createdAt)
  })
})

t.test('Facts of later posts', async (t) => {
  const { service, publish } = await openPosting(t)
  const [first] = (await publish([{ body: LONG }])) as [Posted]
  const ada = guest(first.newGuestId!)
  const second = await publish([{ body: NEARLY, caller: ada, articleId: 'elsewhere' }])
  await service.decide(
    IDS.writeComment({ threadId: 2, id: second[0]!.comment.id }),
    'approved',
    'spam',
  )

  t.test('facts of later posts count decisions on the whole site', async (t) => {
    await publish([{ caller: ada, body: LONG }])
    const { facts } = (await storedOf(service)).at(-1)!
    t.match(facts.author, { approved: 1, recentApproved: 1, recentRejected: 1 })
    t.match(facts.repeats, { same: 1, near: 1 })
    t.match(facts.arrivals, { thread: 2, site: 3, network: 3 })
  })

  t.test('facts of later posts count nothing older than their window', async (t) => {
    await sql`update arrivals set arrived_at = arrived_at - interval '2 minutes'`.execute(
      service.db,
    )
    await publish([{ body: LONG }])
    const { facts } = (await storedOf(service)).at(-1)!
    t.match(facts.arrivals, { thread: 1, site: 1, network: 1 })
    t.match(facts.repeats, { same: 2, near: 1 })
    await sql`update arrivals set arrived_at = arrived_at - interval '1 day'`.execute(service.db)
    await sql`update comments set created_at = created_at - interval '31 days',
      published_at = published_at - interval '31 days'`.execute(service.db)
    await publish([{ caller: ada, body: LONG }])
    const later = (await storedOf(service)).at(-1)!.facts
    t.match(later.repeats, { same: 0, near: 0 })
    t.match(later.author, { approved: 2, recentApproved: 0, recentRejected: 0 })
  })

  t.test('facts of later posts are bounded', async (t) => {
    await sql`insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint,
        sketch, arrived_at)
      select site_id, 1000000 + n, thread_id, author_id, address_hash, fingerprint, sketch, now()
      from arrivals, generate_series(1, 1500) n where comment_id = 5`.execute(service.db)
    await publish([{ body: LONG }])
    const { facts } = (await storedOf(service)).at(-1)!
    t.match(facts.arrivals, { thread: 1000, site: 1000, network: 1000 })
    t.equal(facts.repeats.same, 100)
  })
})

t.test('stored facts give the same judgement again', async (t) => {
  const { service, publish, post } = await openPosting(t)
  const changes = {
    links: { mode: 'enforce', max: 0 },
    repeats: { mode: 'enforce', says: 'spam', same: 1, near: 1 },
    length: { mode: 'enforce', says: 'rejected', min: 5 },
    thread_flood: { mode: 'enforce', max: 12 },
  } as const
  const site = { policyVersion: await goBy(service, changes) }
  const bodies = ['no', 'see https://example.org', LONG, NEARLY, LONG, 'Hello there', 'ok then']
  const some = bodies.map((body) => ({ body, site }))
  await publish([...some, { body: 'One that stays', site }])
  await post([...some, ...some])
  const { rules } = policyWith(changes)
  const screen = compilePolicy({ rules })
  const rows = await storedOf(service)
  for (const { body, bodyHtml, name, url, facts, trace, risk, status, policyVersion } of rows) {
    const again = screen(
      draftOf({ body, bodyHtml, authorName: name, authorUrl: url, suggestedTitle: null }),
      facts,
    )
    t.strictSame(again, { verdict: status, risk, trace }, body)
    t.equal(combine(trace), status)
    t.equal(policyVersion, 1)
  }
  t.same(new Set(rows.map(({ status }) => status)).size, 4, 'every verdict is among them')
  t.same(await recount(service.db), [])
})

t.test('a flood of posts on a site', async (t) => {
  const warnings: object[] = []
  const { service, publish } = await openPosting(t, { warn: (fields) => warnings.push(fields) })
  const site = { policyVersion: await goBy(service, { site_flood: { mode: 'enforce', max: 5 } }) }
  const state = async () =>
    (await service.get('/moderation/state', { token: service.adminKey })).body.attack
  const versionOfRow = async () =>
    (await sql<any>`select xmin::text as row from sites`.execute(service.db)).rows[0].row
  const statusOf = (posted: Posted[]) => posted.map(({ comment }) => comment.status)

  t.test('a flood holds further posts and is logged once', async (t) => {
    t.equal(await state(), null)
    const posted = await publish(Array.from({ length: 8 }, (_, n) => ({ body: `one ${n}`, site })))
    const held = ['pending', 'pending', 'pending']
    t.same(statusOf(posted), [...Array.from({ length: 5 }, () => 'approved'), ...held])
    const { since, until } = await state()
    const minutes = (Date.parse(until) - Date.parse(since)) / 60_000
    t.ok(minutes >= 15 && minutes < 16, `${minutes}`)
    t.same(warnings, [{ site: 'default', attackedUntil: until }])
    const { body } = await service.call('GET', '/v1/sites/default/audit', {
      token: service.adminKey,
    })
    const entries = body.items.filter(({ action }: any) => action === 'site_attacked')
    t.match(entries, [{ by: 'site_flood', after: { attacked_until: until } }])
    t.equal(entries.length, 1)
  })

  t.test('a flood hold holds every later post without a write for each', async (t) => {
    await sql`update arrivals set arrived_at = arrived_at - interval '2 minutes'`.execute(
      service.db,
    )
    const before = await versionOfRow()
    t.same(statusOf(await publish([{ body: 'later', articleId: 'b', site }])), ['pending'])
    const more = Array.from({ length: 7 }, (_, n) => ({ body: `more ${n}`, site }))
    t.same(new Set(statusOf(await publish(more))), new Set(['pending']))
    t.equal(await versionOfRow(), before, 'its end is far enough away')
    t.equal(warnings.length, 1)
  })

  t.test('a flood hold ends by itself', async (t) => {
    await sql`update arrivals set arrived_at = arrived_at - interval '2 minutes'`.execute(
      service.db,
    )
    await sql`update sites set attacked_until = now() - interval '1 second'`.execute(service.db)
    t.equal(await state(), null)
    t.same(statusOf(await publish([{ body: 'at last', site }])), ['approved'])
  })

  t.test('a flood from many networks together causes no deadlock', async (t) => {
    const nodes = openNodes(t, service)
    const before = await countDeadlocks(service)
    await Promise.all(
      nodes.map((node, n) =>
        publish(
          Array.from({ length: 12 }, (_, m) => ({
            body: `${n} ${m}`,
            articleId: `many ${(n + m) % 5}`,
            site,
          })),
          node,
        ),
      ),
    )
    t.ok(await state())
    t.equal(await countDeadlocks(service), before)
    const { rows } = await sql`select from audit where action = 'site_attacked'`.execute(service.db)
    t.equal(rows.length, 2, 'it has begun twice in all')
    t.same(await recount(service.db), [])
  })
})

t.test('records of recent posts expire', async (t) => {
  const { service, publish } = await openPosting(t)
  const [, , old] = (await publish([{}, {}, {}])) as [Posted, Posted, Posted]
  const forgetNow = () => applyRetention(service, new AbortController().signal)
  const rows = async () =>
    (await sql<any>`select comment_id, address_hash from arrivals order by 1`.execute(service.db))
      .rows

  t.test('records of recent posts are deleted after a day', async (t) => {
    await sql`update arrivals set arrived_at = arrived_at - interval '25 hours'
      where comment_id = ${old.comment.id}`.execute(service.db)
    await forgetNow()
    t.equal((await rows()).length, 2)
  })

  t.test(
    'records of recent posts lose their networks with the retention of the site',
    async (t) => {
      await sql`update sites set retention_days = 0`.execute(service.db)
      await forgetNow()
      t.same(
        (await rows()).map(({ addressHash }) => addressHash),
        [null, null],
      )
    },
  )

  t.test('records of recent posts are deleted with their author', async (t) => {
    const ada = await service.post('a', 'mine')
    await service.call('DELETE', `/v1/sites/default/authors/${ada.author.id}`, {
      token: ada.guest_token,
    })
    t.equal((await rows()).length, 2)
    const { rows: left } =
      await sql<any>`select ${storedFacts} as facts, ${storedTrace} as trace, risk from comments c
      where body = ''`.execute(service.db)
    t.same(left, [{ facts: null, trace: null, risk: 0 }], 'and so are the facts')
  })
})

t.test('facts are counted through indexes', async (t) => {
  const service = await openService(t)
  await service.post('a', LONG)
  await sql`insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint,
      sketch, arrived_at)
    select 1, 1000 + n, n % 50, n % 500, decode(lpad(to_hex(n % 900), 32, '0'), 'hex'), n % 2000,
      array[n, n + 1], now() - n * interval '3 seconds'
    from generate_series(1, 4000) n`.execute(service.db)
  await sql`insert into authors (site_id, name) select 1, 'x' from generate_series(1, 500)`.execute(
    service.db,
  )
  await sql`insert into comments (site_id, thread_id, author_id, status, created_at, published_at,
      body, body_html, renderer)
    select 1, 1, 1 + n % 500, (array['approved', 'spam', 'pending'])[1 + n % 3]::comment_status, now(),
      now(), 'x', 'x', 1 from generate_series(1, 4000) n`.execute(service.db)
  await sql`analyze`.execute(service.db)
  const question = {
    siteId: 1,
    threadIds: [1],
    articleIds: [],
    authorIds: [1, 2],
    exceptOfAuthors: [0, 7],
    addressHashes: [NOWHERE],
    fingerprints: [5],
    minHashes: [5, 6],
    nameSkeletons: [],
    againIds: [7],
  }
  const nodes = await explain(service, (db) => countFacts(db, question))
  const scans = nodes.filter((node) => node['Relation Name'] === 'arrivals')
  const read = scans.map((scan) => {
    const dropped = scan['Rows Removed by Filter'] ?? 0
    return (scan['Actual Rows'] + dropped) * scan['Actual Loops']
  })
  t.same(
    nodes
      .filter(({ 'Node Type': type }) => type === 'Seq Scan')
      .map((node) => node['Relation Name']),
    ['threads', 'threads', 'sites'],
    'what has one row',
  )
  const used = nodes.flatMap((node) => node['Index Name'] ?? [])
  t.same(new Set(used.filter((name) => /arrivals|by_author/.test(name))), new Set(INDEXES))
  t.ok(Math.max(...read) <= 200, read.join(', '))
})

const INDEXES = [
  'arrivals_alike',
  'arrivals_of_author',
  'arrivals_of_network',
  'arrivals_of_site',
  'arrivals_of_thread',
  'arrivals_pkey',
  'comments_by_author',
  'comments_turned_down_by_author',
]

type Plan = Record<string, any>

const listNodes = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(listNodes)]

/** Returns the plan of a statement; it is the same for all values, as on the service's connections. */
const explain = async (
  { url }: TestService,
  ask: (db: Db) => Promise<unknown>,
): Promise<Plan[]> => {
  const asked: CompiledQuery[] = []
  const dialect = {
    createDriver: () => new DummyDriver(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
  }
  await ask(new Kysely({ dialect, log: ({ query }) => void asked.push(query) }) as Db)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('set plan_cache_mode = force_generic_plan')
  const text = `explain (analyze, format json) ${asked[0]!.sql}`
  const { rows } = await client.query(text, [...asked[0]!.parameters])
  await client.end()
  return listNodes(rows[0]['QUERY PLAN'][0].Plan)
}
