import { sql } from 'kysely'
import t from 'tap'
import { authorJob } from '../../src/domain/job.ts'
import { enqueueJob, hastenJobs, takeJobs } from '../../src/postgres/jobs/jobs.ts'
import { policyWith } from '../policies.ts'
import { openService, type TestService } from '../service.ts'

/** A clock of Postgres that was set back leaves times ahead of now. These tests store such times. */

const SITE = '/v1/sites/default'
const HOUR = 3_600

const move = (service: TestService, seconds: number, ...columns: string[]) =>
  Promise.all(
    columns.map((name) => {
      const [table, column] = name.split('.') as [string, string]
      return sql`
        update ${sql.table(table)} set ${sql.ref(column)} = ${sql.ref(column)} + ${seconds} * interval '1 second'`.execute(
        service.db,
      )
    }),
  )

const POSTED = ['comments.created_at', 'comments.published_at', 'arrivals.arrived_at']

const admin = (service: TestService, method: string, path: string, body?: object) =>
  service.call(method, `${SITE}${path}`, { token: service.adminKey, ...(body && { body }) })

const write = (service: TestService, body: string, token?: string) =>
  service.call('POST', `${SITE}/articles/a/comments`, {
    ...(token && { token }),
    body: { body, ...(token === undefined && { author: { name: 'Ada' } }) },
  })

t.test(
  'slow mode: nobody waits longer than the setting, and a step of an hour ends the wait',
  async (t) => {
    const service = await openService(t)
    await admin(service, 'PATCH', '', { slow_mode_seconds: 30 })
    const { guest_token: token } = await service.post('a', 'one')
    await move(service, 20, ...POSTED)
    const refused = await write(service, 'two', token)
    t.match(refused, { status: 429, body: { code: 'slow_mode' } })
    t.ok(Number(refused.headers['retry-after']) <= 30)
    const viewer = (await service.get('/articles/a/viewer', { token })).body
    t.ok(Date.parse(viewer.may_post_at) - Date.now() <= 31_000)
    await move(service, HOUR, ...POSTED)
    t.equal((await service.get('/articles/a/viewer', { token })).body.reason, null)
    t.match(await write(service, 'two', token), { status: 201 })
    t.match(await write(service, 'three', token), { status: 429 }, 'and waits apply again')
  },
)

t.test('a post is no repetition of one that is an hour ahead', async (t) => {
  const service = await openService(t)
  t.match(await write(service, 'same'), { status: 201 })
  await move(service, HOUR, ...POSTED)
  const again = await write(service, 'same')
  const { body } = await service.get('/articles/a')
  t.equal(again.status, 201)
  t.equal(body.comment_count, 2)
})

t.test(
  'posts that are an hour ahead are no flood of this minute, and a hold from then has ended',
  async (t) => {
    const service = await openService(t)
    const policy = policyWith({
      site_flood: { mode: 'enforce', says: 'pending', max: 2, minutes: 10 },
    })
    await admin(service, 'PUT', '/moderation/policy', { policy })
    for (const text of ['one', 'two']) await service.post('a', text)
    await move(service, HOUR, ...POSTED)
    t.equal((await service.post('a', 'three')).status, 'approved')
    await service.post('a', 'four')
    t.equal((await service.post('a', 'five')).status, 'pending', 'a flood of now')
    t.ok((await service.get('/moderation/state', { token: service.adminKey })).body.attack)
    await move(service, HOUR, 'sites.attacked_since', 'sites.attacked_until', ...POSTED)
    t.equal((await service.get('/moderation/state', { token: service.adminKey })).body.attack, null)
    t.equal((await service.post('a', 'six')).status, 'approved')
    for (const text of ['seven', 'eight', 'nine']) await service.post('a', text)
    t.ok(
      (await service.get('/moderation/state', { token: service.adminKey })).body.attack,
      'a new hold',
    )
  },
)

t.test('the edit window of a comment that is further ahead than the window is over', async (t) => {
  const service = await openService(t)
  await admin(service, 'PATCH', '', { edit_window_seconds: 300 })
  const { id, guest_token: token } = await service.post('a', 'one')
  const edit = (body: string) =>
    service.call('PATCH', `${SITE}/comments/${id}`, { token, body: { body } })
  const editable = async () =>
    Object.keys((await service.get('/articles/a/viewer', { token })).body.editable)
  await move(service, 200, 'comments.created_at', 'comments.published_at')
  t.equal((await edit('two')).status, 200)
  t.same(await editable(), [id])
  await move(service, HOUR, 'comments.created_at', 'comments.published_at')
  t.match(await edit('three'), { status: 409, body: { code: 'edit_window_over' } })
  t.same(await editable(), [])
})

t.test('a claim does not outlast twice the longest claim', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'one')
  await service.decide(id, 'approved', 'pending')
  const other = await service.makeKey('moderate')
  const claim = (token: string) =>
    service.call('POST', `${SITE}/moderation/claims`, { token, body: { limit: 1 } })
  t.equal((await claim(service.adminKey)).body.items.length, 1)
  t.equal((await claim(other)).body.items.length, 0)
  await move(service, 2 * HOUR, 'claims.claimed_until')
  t.equal((await claim(other)).body.items.length, 1)
})

t.test('a transfer code does not outlast twice its time', async (t) => {
  const service = await openService(t)
  const { guest_token: token } = await service.post('a', 'one')
  const { code } = (await service.call('POST', `${SITE}/guests/transfer`, { token })).body
  await move(service, HOUR, 'transfer_codes.expires_at')
  const claim = await service.call('POST', `${SITE}/guests/claim`, { body: { code } })
  t.equal(claim.status, 404)
})

t.test('a lease and a pause that are far ahead keep no job from running', async (t) => {
  const service = await openService(t)
  const { db } = service
  const kind = 'refresh_author'
  await db
    .transaction()
    .execute((tx) => enqueueJob(tx, authorJob(kind, { siteId: 1, authorId: 1 })))
  const take = () => takeJobs(db, { kind, limit: 1 })
  t.equal((await take()).length, 1)
  t.equal((await take()).length, 0, 'its node has it')
  await move(service, HOUR, 'jobs.leased_until')
  t.equal((await take()).length, 1)
  await sql`update jobs set leased_until = null, due_at = now() + interval '1 hour'`.execute(db)
  await hastenJobs(db, [{ kind, longestMs: HOUR * 1000 }])
  t.equal((await take()).length, 0, 'a job can wait that long')
  await hastenJobs(db, [{ kind, longestMs: 600_000 }])
  t.equal((await take()).length, 1)
})
