import { sql } from 'kysely'
import t from 'tap'
import { bumpClosedThreads } from '../../src/usecases/jobs/bump-closed-threads.ts'
import { openService, type TestService } from '../service.ts'

/** Threads that close by themselves. */

const SITE = '/v1/sites/default'
const NEVER = new AbortController().signal

type Json = Record<string, any>

const setSite = (world: TestService, body: Json) =>
  world.call('PATCH', SITE, { token: world.adminKey, body })

const setThread = async (world: TestService, body: Json): Promise<Json> =>
  (await world.call('PATCH', `${SITE}/articles/a`, { token: world.adminKey, body })).body

const age = (world: TestService, days: number) =>
  sql`update threads set created_at = created_at - ${days} * interval '1 day'`.execute(world.db)

/** The codes that a post, and a look at the thread, have. */
const posting = async (world: TestService): Promise<string> => {
  const body = { body: 'late', author: { name: 'Ada' } }
  const answer = await world.call('POST', `${SITE}/articles/a/comments`, { body })
  return `${answer.status} ${answer.body.code ?? answer.body.status}`
}

const threadOf = async (world: TestService): Promise<Json> => (await world.get('/articles/a')).body

t.test('a thread closes some days after it began, if its site says so', async (t) => {
  const world = await openService(t)
  await world.post('a', 'early')
  await age(world, 7)
  t.match(await threadOf(world), { state: 'open', closes_at: null })
  await setSite(world, { close_after_days: 8 })
  const tomorrow = Date.now() + 86_400_000
  const { closes_at: closesAt } = await threadOf(world)
  t.ok(Math.abs(Date.parse(closesAt) - tomorrow) < 60_000, closesAt)
  t.equal(await posting(world), '201 approved')
  await setSite(world, { close_after_days: 7 })
  t.equal(await posting(world), '409 thread_closed', 'also one that was there before')
  t.equal((await threadOf(world)).state, 'closed')
  t.equal((await world.get('/articles/a/comments')).body.thread.state, 'closed')
  t.match((await world.get('/articles/a/viewer')).body, { reason: 'thread_closed' })
  t.equal((await world.get('/articles')).body.items[0].state, 'closed')
  t.match((await world.get('/config')).body, { close_after_days: 7 })
  await setSite(world, { close_after_days: 0 })
  t.equal(await posting(world), '201 approved')
})

t.test('its own time to close counts more than the days of the site', async (t) => {
  const world = await openService(t)
  await world.post('a', 'early')
  await age(world, 30)
  await setSite(world, { close_after_days: 7 })
  const closes_at = '2999-01-01T00:00:00.000Z'
  t.match(await setThread(world, { closes_at }), { state: 'open', closes_at })
  t.equal(await posting(world), '201 approved')
  t.match(await setThread(world, { closes_at: null }), { state: 'closed', stays_open: false })
})

t.test('a thread that a moderator opens again is not closed again', async (t) => {
  const world = await openService(t)
  await world.post('a', 'early')
  await age(world, 30)
  await setSite(world, { close_after_days: 7 })
  const opened = await setThread(world, { state: 'open' })
  t.match(opened, { state: 'open', stays_open: true, closes_at: null })
  t.equal(await posting(world), '201 approved')
  t.match(await setThread(world, { stays_open: false }), { state: 'closed' })
  await setThread(world, { closes_at: '2020-01-01T00:00:00.000Z', stays_open: true })
  t.equal(await posting(world), '409 thread_closed')
  t.match(await setThread(world, { state: 'open' }), { state: 'open', closes_at: null })
})

t.test('opening a thread keeps a time to close that is still to come', async (t) => {
  const world = await openService(t)
  const closes_at = '2999-01-01T00:00:00.000Z'
  await setThread(world, { state: 'closed', closes_at })
  t.match(await setThread(world, { state: 'open' }), {
    state: 'open',
    closes_at,
    stays_open: false,
  })
})

t.test('a thread that has closed gets a new version once', async (t) => {
  const world = await openService(t)
  await world.post('a', 'early')
  await world.post('other', 'stays as it is')
  const other = (await world.get('/articles/other')).body.version
  const open = await threadOf(world)
  await bumpClosedThreads(world, NEVER)
  t.equal((await threadOf(world)).version, open.version)
  await sql`update threads set closes_at = clock_timestamp() where article_id = 'a'`.execute(
    world.db,
  )
  await bumpClosedThreads(world, NEVER)
  const closed = await threadOf(world)
  t.ok(closed.version > open.version)
  await bumpClosedThreads(world, NEVER)
  t.equal((await threadOf(world)).version, closed.version)
  t.equal((await world.get('/articles/other')).body.version, other)
})

t.test('so does one that the days of its site have closed, of many', async (t) => {
  const world = await openService(t)
  await world.post('a', 'early')
  await setSite(world, { close_after_days: 7 })
  await sql`
    update threads set created_at = created_at - interval '7 days',
      version = version - 60000000`.execute(world.db)
  await sql`
    insert into threads (site_id, article_id, version, created_at)
    select site_id, 'b' || n, version, created_at from threads, generate_series(1, 450) n`.execute(
    world.db,
  )
  const before = await threadOf(world)
  await Promise.all([bumpClosedThreads(world, NEVER), bumpClosedThreads(world, NEVER)])
  await bumpClosedThreads(world, NEVER)
  t.ok((await threadOf(world)).version > before.version)
  const { rows } = await sql<{ old: number; versions: number }>`
    select count(*) filter (where version = ${before.version}) as old from threads`.execute(
    world.db,
  )
  t.equal(rows[0]!.old, 0, 'all of them have one')
})

t.test('every change of a thread is a decision that says what was otherwise before', async (t) => {
  const world = await openService(t)
  await setThread(world, { state: 'locked', closes_at: '2999-01-01T00:00:00.000Z' })
  await setThread(world, { state: 'open', moderation: 'pre', slow_mode_seconds: 5 })
  const { body } = await world.get('/moderation/decisions', { token: world.adminKey })
  t.match(body.items, [
    {
      action: 'thread',
      subject: 'a',
      comment_id: null,
      before: { state: 'locked', moderation: 'site', slow_mode_seconds: null },
      after: { state: 'open', moderation: 'pre', slow_mode_seconds: 5 },
    },
    {
      before: { state: 'open', closes_at: null },
      after: { state: 'locked', closes_at: '2999-01-01T00:00:00.000Z' },
    },
  ])
  t.same(Object.keys(body.items[1].before).sort(), ['closes_at', 'state'])
})
