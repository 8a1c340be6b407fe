import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { bumpClosedThreads } from '../../src/usecases/jobs/bump-closed-threads.ts'
import { openService, type TestService } from '../service.ts'

/** Threads that close by themselves. */

const SITE = '/v1/sites/default'
const NEVER = new AbortController().signal

type Json = Record<string, any>

const setSite = (service: TestService, body: Json) =>
  service.call('PATCH', SITE, { token: service.adminKey, body })

const setThread = async (service: TestService, body: Json): Promise<Json> =>
  (await service.call('PATCH', `${SITE}/articles/a`, { token: service.adminKey, body })).body

const age = (service: TestService, days: number) =>
  sql`update threads set created_at = created_at - ${days} * interval '1 day'`.execute(service.db)

/** The codes that a post, and a look at the thread, have. */
const posting = async (service: TestService): Promise<string> => {
  const body = { body: 'late', author: { name: 'Ada' } }
  const headers = { 'idempotency-key': randomUUID() }
  const answer = await service.call('POST', `${SITE}/articles/a/comments`, { headers, body })
  return `${answer.status} ${answer.body.code ?? answer.body.status}`
}

const threadOf = async (service: TestService): Promise<Json> =>
  (await service.get('/articles/a')).body

t.test('a thread closes some days after it began, if its site says so', async (t) => {
  const service = await openService(t)
  await service.post('a', 'early')
  await age(service, 7)
  t.match(await threadOf(service), { state: 'open', closes_at: null })
  await setSite(service, { close_after_days: 8 })
  const tomorrow = Date.now() + 86_400_000
  const { closes_at: closesAt } = await threadOf(service)
  t.ok(Math.abs(Date.parse(closesAt) - tomorrow) < 60_000, closesAt)
  t.equal(await posting(service), '201 approved')
  await setSite(service, { close_after_days: 7 })
  t.equal(await posting(service), '409 thread_closed', 'also one that was there before')
  t.equal((await threadOf(service)).state, 'closed')
  t.equal((await service.get('/articles/a/comments')).body.thread.state, 'closed')
  t.match((await service.get('/articles/a/viewer')).body, { reason: 'thread_closed' })
  t.equal((await service.get('/articles')).body.items[0].state, 'closed')
  t.match((await service.get('/config')).body, { close_after_days: 7 })
  await setSite(service, { close_after_days: 0 })
  t.equal(await posting(service), '201 approved')
})

t.test('the closing time of a thread overrides the days of its site', async (t) => {
  const service = await openService(t)
  await service.post('a', 'early')
  await age(service, 30)
  await setSite(service, { close_after_days: 7 })
  const closes_at = '2999-01-01T00:00:00.000Z'
  t.match(await setThread(service, { closes_at }), { state: 'open', closes_at })
  t.equal(await posting(service), '201 approved')
  t.match(await setThread(service, { closes_at: null }), { state: 'closed', stays_open: false })
})

t.test('a thread that a moderator reopens is not closed again', async (t) => {
  const service = await openService(t)
  await service.post('a', 'early')
  await age(service, 30)
  await setSite(service, { close_after_days: 7 })
  const opened = await setThread(service, { state: 'open' })
  t.match(opened, { state: 'open', stays_open: true, closes_at: null })
  t.equal(await posting(service), '201 approved')
  t.match(await setThread(service, { stays_open: false }), { state: 'closed' })
  await setThread(service, { closes_at: '2020-01-01T00:00:00.000Z', stays_open: true })
  t.equal(await posting(service), '409 thread_closed')
  t.match(await setThread(service, { state: 'open' }), { state: 'open', closes_at: null })
})

t.test('reopening a thread keeps a closing time in the future', async (t) => {
  const service = await openService(t)
  const closes_at = '2999-01-01T00:00:00.000Z'
  await setThread(service, { state: 'closed', closes_at })
  t.match(await setThread(service, { state: 'open' }), {
    state: 'open',
    closes_at,
    stays_open: false,
  })
})

t.test('a thread that has closed gets a new version once', async (t) => {
  const service = await openService(t)
  await service.post('a', 'early')
  await service.post('other', 'stays as it is')
  const other = (await service.get('/articles/other')).body.version
  const open = await threadOf(service)
  await bumpClosedThreads(service, NEVER)
  t.equal((await threadOf(service)).version, open.version)
  await sql`update threads set closes_at = clock_timestamp() where article_id = 'a'`.execute(
    service.db,
  )
  await bumpClosedThreads(service, NEVER)
  const closed = await threadOf(service)
  t.ok(closed.version > open.version)
  await bumpClosedThreads(service, NEVER)
  t.equal((await threadOf(service)).version, closed.version)
  t.equal((await service.get('/articles/other')).body.version, other)
})

t.test('many threads closed by the days of their site get a new version once each', async (t) => {
  const service = await openService(t)
  await service.post('a', 'early')
  await setSite(service, { close_after_days: 7 })
  await sql`
    update threads set created_at = created_at - interval '7 days',
      version = version - 60000000`.execute(service.db)
  await sql`
    insert into threads (site_id, article_id, version, created_at)
    select site_id, 'b' || n, version, created_at from threads, generate_series(1, 450) n`.execute(
    service.db,
  )
  const before = await threadOf(service)
  await Promise.all([bumpClosedThreads(service, NEVER), bumpClosedThreads(service, NEVER)])
  await bumpClosedThreads(service, NEVER)
  t.ok((await threadOf(service)).version > before.version)
  const { rows } = await sql<{ old: number; versions: number }>`
    select count(*) filter (where version = ${before.version}) as old from threads`.execute(
    service.db,
  )
  t.equal(rows[0]!.old, 0, 'all of them have one')
})

t.test('every change of a thread is a decision that names the earlier values', async (t) => {
  const service = await openService(t)
  await setThread(service, { state: 'locked', closes_at: '2999-01-01T00:00:00.000Z' })
  await setThread(service, { state: 'open', moderation: 'pre', slow_mode_seconds: 5 })
  const { body } = await service.get('/moderation/decisions', { token: service.adminKey })
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
