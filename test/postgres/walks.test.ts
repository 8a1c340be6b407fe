import fc from 'fast-check'
import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import { ROLES, THREAD_STATES } from '../../src/domain/comment/comment.ts'
import type { Position } from '../../src/domain/comment/sort.ts'
import { STATUSES } from '../../src/domain/comment/status.ts'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { listAppeals } from '../../src/postgres/moderation/appeals.ts'
import {
  listDecisions,
  type ModerationLogFilter,
} from '../../src/postgres/moderation/moderation-log.ts'
import {
  findQueuePage,
  QUEUE_SORTS,
  type QueueRequest,
  type QueueSort,
} from '../../src/postgres/moderation/queue.ts'
import { matchesFilter } from '../../src/postgres/moderation/queue-filter.ts'
import {
  type AuthorFilter,
  type AuthorSearch,
  findAuthorPage,
  findMemberPage,
  type PersonFilter,
} from '../../src/postgres/people/search.ts'
import {
  findThreadPage,
  THREAD_SORTS,
  type ThreadSearch,
} from '../../src/postgres/threads/search.ts'
import { runs } from '../lengths.ts'
import { createDatabase } from '../servers.ts'

/**
 * I-10 for moderators: the pages of a list contain every entry exactly once, in order, however few rows a
 * page may scan. The expected entries come from one query without pages.
 */

const COUNT = 400

/** Few values, so that ranks are often equal, and statuses in runs longer than a scan. */
const SEED = `
  insert into sites (slug, name) values ('default', 'Default');
  insert into authors (site_id, name) select 1, 'author ' || n from generate_series(1, 5) n;
  insert into threads (site_id, article_id, version) select 1, 'a' || n, 1 from generate_series(1, 4) n;
  insert into comments (site_id, thread_id, author_id, status, created_at, body, body_html, renderer, risk,
    flag_count, screening)
  select 1, 1 + n * 7 % 4, 1 + n * 11 % 5,
    (array['pending', 'pending', 'spam', 'rejected', 'deleted', 'approved']::comment_status[])[1 + n / 9 * 5 % 6],
    timestamptz '2026-01-01Z' + n * interval '1 minute',
    case when n * 13 % 17 < 3 then 'a needle' else 'hay' end, '', 1, n * 31 % 4,
    greatest(n * 29 % 7 - 3, 0),
    case when n % 23 = 0 then '[{"rule": "links"}]'::jsonb end
  from generate_series(1, ${COUNT}) n;
  insert into claims (site_id, thread_id, comment_id, claimed_by, claimed_until)
  select 1, thread_id, id, 'k' || id % 2, now() + (case when id % 5 = 0 then -1 else 1 end) * interval '1 hour'
  from comments where id * 17 % 10 < 4;
  insert into decisions (site_id, action, thread_id, comment_id, author_id, batch_id, decided_by, decided_at)
  select 1, case when n % 19 = 0 then 'pin' else 'lock' end::decision_action, 1 + n * 7 % 4, 1 + n % 40,
    1 + n * 11 % 5, case when n * 13 % 7 = 0 then 1 end, 'k' || n * 3 % 4,
    timestamptz '2026-01-01Z' + n * interval '1 minute'
  from generate_series(1, ${COUNT}) n;
  insert into appeals (site_id, thread_id, comment_id, author_id, text, appealed_at, outcome, answered_by, answered_at)
  select 1, 1, n, 1, '', now(), case when n % 3 > 0 then 'upheld'::appeal_outcome end,
    case when n % 3 > 0 then 'k1' end,
    case when n % 3 > 0 then timestamptz '2026-01-01Z' + n * 7 % 5 * interval '1 second' end
  from generate_series(1, 60) n;
  insert into threads (site_id, article_id, title, state, comment_count, last_comment_at, closes_at, created_at,
    deleted_at)
  select 1, 't' || n, case when n * 13 % 17 < 3 then 'a needle' end,
    (array['open', 'open', 'closed', 'locked', 'hidden']::thread_state[])[1 + n / 9 * 3 % 5],
    greatest(n * 7 % 5 - 1, 0), timestamptz '2026-01-01Z' + n * 37 % 50 * interval '10 minutes',
    case when n % 6 = 0 then timestamptz '2026-01-01Z' end, timestamptz '2026-01-01Z' + n * interval '1 minute',
    case when n % 11 = 0 then now() end
  from generate_series(1, ${COUNT}) n;
  insert into authors (site_id, kind, name, email, subject, role, suspended_at, erased_at)
  select 1, (case when n % 3 = 0 then 'member' else 'guest' end)::author_kind,
    (array['author ', 'Author ', 'École ', 'a needle '])[1 + n / 7 * 3 % 4] || n,
    case when n % 4 = 0 then 'A' || n % 10 || '@example.org' end,
    case when n % 3 = 0 and n % 17 > 0 then 's' || n end,
    (array['reader', 'reader', 'reader', 'contributor', 'moderator', 'owner']::author_role[])[1 + n / 9 * 5 % 6],
    case when n * 13 % 17 < 3 then now() end, case when n % 17 = 0 then now() end
  from generate_series(1, ${COUNT}) n;
  insert into comment_addresses (site_id, written_at, comment_id, author_id, network, address_hash)
  select 1, timestamptz '2026-01-01Z' + n * interval '1 minute', n, 1 + n * 7 % 300,
    (array['192.0.2.0/24', '192.1.2.0/24', '2001:db8::/48', 'unknown', '198.51.100.0/24'])[1 + n / 11 % 5], ''
  from generate_series(1, ${COUNT}) n;
  insert into bans (site_id, kind, author_id, effect, made_by, made_at, lifted_at)
  select 1, 'author', 1 + n * 13 % 300, 'hold', 'k1', now(), case when n % 4 = 0 then now() end
  from generate_series(1, 80) n`

const openLists = async (t: Test): Promise<Db> => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(SEED)
  await client.end()
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  return db
}

type Step<Place> = { ids: readonly number[]; next: Place | null }

/** Reads all pages. Every page before the last must move on, so that each walk ends. */
const walk = async <Place>(read: (after: Place | null) => Promise<Step<Place>>) => {
  const places = new Set<string>()
  const seen: number[] = []
  for (let after: Place | null = null; ; ) {
    const { ids, next }: Step<Place> = await read(after)
    seen.push(...ids)
    if (next === null) return seen
    if (places.has(JSON.stringify(next)))
      throw new Error(`the walk returns to ${JSON.stringify(next)}`)
    places.add(JSON.stringify(next))
    after = next
  }
}

const assertSame = (walked: number[], expected: number[], what: unknown): void => {
  const [found, wanted] = [walked.join(' '), expected.join(' ')]
  if (found !== wanted) throw new Error(`${JSON.stringify(what)}: ${found} is not ${wanted}`)
}

const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })
const pages = {
  limit: fc.integer({ min: 1, max: 12 }),
  maxScanned: fc.integer({ min: 1, max: 60 }),
}

const queueRequests: fc.Arbitrary<Omit<QueueRequest, 'after'>> = fc.record({
  siteId: fc.constant(1),
  statuses: fc.subarray([...STATUSES], { minLength: 1 }),
  sort: fc.constantFrom(...QUEUE_SORTS),
  ...pages,
  isFlagged: maybe(fc.boolean()),
  articleId: maybe(fc.constantFrom('a1', 'a2', 'unheard')),
  authorId: maybe(fc.integer({ min: 1, max: 6 })),
  q: maybe(fc.constantFrom('needle', 'a', 'unheard')),
  rule: maybe(fc.constantFrom('links', 'words')),
  until: maybe(fc.constantFrom('2026-01-01T03:00:00Z')),
  claimed: maybe(fc.record({ is: fc.constantFrom('free', 'mine'), by: fc.constant('k1') })),
})

const QUEUE_ORDER: Record<QueueSort, string> = {
  oldest: 'c.id',
  newest: 'c.id desc',
  flags: 'c.flag_count desc, c.id desc',
  risk: 'c.risk desc, c.id desc',
}

const expectQueue = async (db: Db, request: Omit<QueueRequest, 'after'>): Promise<number[]> => {
  const { statuses, sort, claimed } = request
  const claims = sql`select comment_id from claims where claimed_until > now()`
  const { rows } = await sql<{ id: number }>`
    select c.id from comments c
    where c.status = any(${statuses}::comment_status[]) and ${matchesFilter(1, request)}
      ${claimed?.is === 'free' ? sql`and c.id not in (${claims})` : sql``}
      ${claimed?.is === 'mine' ? sql`and c.id in (${claims} and claimed_by = ${claimed.by})` : sql``}
      ${sort === 'risk' ? sql`and (c.status <> 'approved' or c.flag_count > 0)` : sql``}
    order by ${sql.raw(QUEUE_ORDER[sort])}`.execute(db)
  return rows.map(({ id }) => id)
}

const logRequests: fc.Arbitrary<ModerationLogFilter & { limit: number; maxScanned: number }> =
  fc.record({
    ...pages,
    comment: maybe(fc.record({ threadId: fc.integer({ min: 1, max: 4 }), id: fc.nat(41) })),
    batchId: maybe(fc.constantFrom(1, 2)),
    authorId: maybe(fc.integer({ min: 1, max: 6 })),
    articleId: maybe(fc.constantFrom('a1', 'a2', 'unheard')),
    by: maybe(fc.constantFrom('k1', 'k2', 'k9')),
    action: maybe(fc.constantFrom('pin', 'lock', 'status')),
    since: maybe(fc.constantFrom('2026-01-01T01:00:00Z', '2026-01-01T05:00:00Z')),
    until: maybe(fc.constantFrom('2026-01-01T04:30:00Z')),
  })

const expectLog = async (db: Db, filter: ModerationLogFilter): Promise<number[]> => {
  const { comment, batchId, authorId, articleId, by, action, since, until } = filter
  const equals: [string, unknown][] = [
    ['comment_id', comment?.id],
    ['thread_id', comment?.threadId],
    ['batch_id', batchId],
    ['author_id', authorId],
    ['decided_by', by],
    ['action', action],
  ]
  const parts = equals.flatMap(([column, value]) =>
    value === undefined ? [] : [sql`${sql.ref(column)} = ${value}`],
  )
  if (articleId)
    parts.push(sql`thread_id in (select id from threads where article_id = ${articleId})`)
  if (since) parts.push(sql`decided_at >= ${since}`)
  if (until) parts.push(sql`decided_at < ${until}`)
  const { rows } = await sql<{ id: number }>`
    select id from decisions where ${sql.join([sql`true`, ...parts], sql` and `)}
    order by id desc`.execute(db)
  return rows.map(({ id }) => id)
}

const threadSearches: fc.Arbitrary<Omit<ThreadSearch, 'after'>> = fc.record({
  siteId: fc.constant(1),
  sort: fc.constantFrom(...THREAD_SORTS),
  ...pages,
  states: maybe(fc.subarray([...THREAD_STATES], { minLength: 1 })),
  q: maybe(fc.constantFrom('needle', 'T', 'unheard')),
  hasComments: maybe(fc.boolean()),
  until: maybe(fc.constantFrom('2026-01-01T03:00:00.000Z')),
})

const expectThreads = async (db: Db, search: Omit<ThreadSearch, 'after'>): Promise<number[]> => {
  const { states, q, hasComments, until, sort } = search
  const state = sql`case when closes_at < now() and state = 'open' then 'closed' else state end`
  const { rows } = await sql<{ id: number }>`
    select id from threads where site_id = 1 and deleted_at is null
      ${states ? sql`and ${state} = any(${states}::thread_state[])` : sql``}
      ${q === undefined ? sql`` : sql`and article_id || ' ' || coalesce(title, '') ilike ${`%${q}%`}`}
      ${hasComments === undefined ? sql`` : sql`and (comment_count > 0) = ${hasComments}`}
      ${until === undefined ? sql`` : sql`and coalesce(last_comment_at, created_at) <= ${until}`}
    order by ${sort === 'active' ? sql`coalesce(last_comment_at, created_at) desc,` : sql``} id desc`.execute(
    db,
  )
  return rows.map(({ id }) => id)
}

const personFilters = {
  siteId: fc.constant(1),
  ...pages,
  name: maybe(fc.constantFrom('author', 'AUTHOR 1', 'É', 'unheard')),
  q: maybe(fc.constantFrom('needle', '1', 'unheard')),
  role: maybe(fc.constantFrom(...ROLES)),
  isSuspended: maybe(fc.boolean()),
}

const isPerson = ({ name, q, role, isSuspended }: PersonFilter) => sql`
  erased_at is null
  ${name === undefined ? sql`` : sql`and starts_with(lower(name), lower(${name}))`}
  ${q === undefined ? sql`` : sql`and strpos(lower(name), lower(${q})) > 0`}
  ${role === undefined ? sql`` : sql`and role = ${role}`}
  ${isSuspended === undefined ? sql`` : sql`and (suspended_at is not null) = ${isSuspended}`}`

const authorSearches: fc.Arbitrary<Omit<AuthorSearch, 'after'>> = fc.record({
  ...personFilters,
  kind: maybe(fc.constantFrom('guest', 'member')),
  email: maybe(fc.constantFrom('a4@EXAMPLE.org', 'unheard')),
  network: maybe(fc.constantFrom('192.0.2.7/32', '192.0.0.0/16', '192.0.0.0/8', '2001:db8::/64')),
  isBanned: maybe(fc.boolean()),
})

const expectAuthors = async (db: Db, filter: AuthorFilter): Promise<number[]> => {
  const { kind, email, network, isBanned } = filter
  const senders = sql`select author_id from comment_addresses
    where network <> 'unknown' and network::inet && network(${network ?? '::/0'}::inet)`
  const banned = sql`select author_id from bans where author_id is not null and lifted_at is null`
  const { rows } = await sql<{ id: number }>`
    select id from authors where ${isPerson(filter)}
      ${kind === undefined ? sql`` : sql`and kind = ${kind}`}
      ${email === undefined ? sql`` : sql`and lower(email) = lower(${email})`}
      ${network === undefined ? sql`` : sql`and id in (${senders})`}
      ${isBanned === undefined ? sql`` : sql`and (id in (${banned})) = ${isBanned}`}
    order by id desc`.execute(db)
  return rows.map(({ id }) => id)
}

const expectMembers = async (db: Db, filter: PersonFilter): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select id from authors where subject is not null and ${isPerson(filter)}
    order by id desc`.execute(db)
  return rows.map(({ id }) => id)
}

t.test('moderators’ lists', async (t) => {
  const db = await openLists(t)

  await t.test('the pages of the queue contain each matching comment once, in order', async () => {
    const property = fc.asyncProperty(queueRequests, async (request) => {
      const walked = await walk<Position>(async (after) => {
        const { comments, next } = await findQueuePage(db, { ...request, after })
        return { ids: comments.map(({ id }) => id), next }
      })
      assertSame(walked, await expectQueue(db, request), request)
    })
    await fc.assert(property, { numRuns: runs(6, 80), endOnFailure: true })
  })

  await t.test('the pages of the moderation log contain each matching decision once', async () => {
    const property = fc.asyncProperty(logRequests, async (request) => {
      const walked = await walk<number>(async (beforeId) => {
        const { items, nextId } = await listDecisions(db, { siteId: 1, ...request, beforeId })
        return { ids: items.map(({ id }) => id), next: nextId }
      })
      assertSame(walked, await expectLog(db, request), request)
    })
    await fc.assert(property, { numRuns: runs(6, 80), endOnFailure: true })
  })

  await t.test('the pages of threads contain each matching thread once, in order', async () => {
    const property = fc.asyncProperty(threadSearches, async (search) => {
      const walked = await walk<Position>((after) => findThreadPage(db, { ...search, after }))
      assertSame(walked, await expectThreads(db, search), search)
    })
    await fc.assert(property, { numRuns: runs(6, 80), endOnFailure: true })
  })

  await t.test('the pages of members contain each matching member once, in order', async () => {
    const property = fc.asyncProperty(fc.record(personFilters), async (search) => {
      const walked = await walk<Position>((after) => findMemberPage(db, { ...search, after }))
      assertSame(walked, await expectMembers(db, search), search)
    })
    await fc.assert(property, { numRuns: runs(6, 80), endOnFailure: true })
  })

  await t.test('the pages of authors contain each matching author once, in order', async () => {
    const property = fc.asyncProperty(authorSearches, async (search) => {
      const walked = await walk<Position>((after) => findAuthorPage(db, { ...search, after }))
      assertSame(walked, await expectAuthors(db, search), search)
    })
    await fc.assert(property, { numRuns: runs(6, 80), endOnFailure: true })
  })

  for (const state of ['waiting', 'answered'] as const)
    await t.test(`the pages of ${state} appeals contain each once, if one is erased`, async (t) => {
      const is = sql.raw(state === 'waiting' ? 'is null' : 'is not null')
      const order = sql.raw(state === 'waiting' ? 'id' : 'answered_at desc, id desc')
      const { rows } = await sql<{ id: number }>`
        select id from appeals where outcome ${is} order by ${order}`.execute(db)
      const walked = await walk<Position>(async (after) => {
        const found = (await listAppeals(db, { siteId: 1, state, after, limit: 3 })).slice(0, 3)
        const last = found.length === 3 ? found.at(-1)! : undefined
        // The erasure of an author deletes the appeal at which the next page starts.
        if (last) await sql`delete from appeals where id = ${last.id}`.execute(db)
        const next = last ? ([Date.parse(last.answeredAt ?? '1970'), last.id] as const) : null
        return { ids: found.map(({ id }) => id), next }
      })
      t.same(
        walked,
        rows.map(({ id }) => id),
      )
    })
})
