import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { type Answer, type Call, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

const set = (service: TestService, path: string, body: object) =>
  service.call('PATCH', `${SITE}${path}`, { token: service.adminKey, body })

const post = (service: TestService, call: Call = {}, article = 'a'): Promise<Answer> => {
  const body = { body: 'x', ...(!call.token && { author: { name: 'Ada' } }) }
  const headers = { 'idempotency-key': randomUUID(), ...call.headers }
  return service.call('POST', `${SITE}/articles/${article}/comments`, { ...call, headers, body })
}

const said = ({ status, body }: Answer): string => `${status} ${body.code ?? body.status}`

const wait = (service: TestService, seconds: number) =>
  sql`
    with a as (update arrivals set arrived_at = arrived_at - ${seconds} * interval '1 second')
    update comments set created_at = created_at - ${seconds} * interval '1 second'`.execute(
    service.db,
  )

t.test('slow mode: an author waits between two comments in one thread', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  await set(service, '', { slow_mode_seconds: 60 })
  const token = await signToken({ sub: 'm', name: 'Mary' })
  const first = await post(service, { token })
  t.equal(said(first), '201 approved')
  const again = await post(service, { token })
  t.equal(said(again), '429 slow_mode')
  const seconds = Number(again.headers['retry-after'])
  t.ok(seconds > 50 && seconds <= 60, `${seconds} seconds`)
  const viewer = (await service.get('/articles/a/viewer', { token })).body
  t.match(viewer, { may_post: false, reason: 'slow_mode' })
  const due = Date.parse(first.body.created_at) + 60_000
  t.equal(Date.parse(viewer.may_post_at), due)
  t.equal(said(await post(service, { token }, 'b')), '201 approved', 'another thread is another')
  const other = await signToken({ sub: 'n', name: 'Nora' })
  t.equal(said(await post(service, { token: other })), '201 approved', 'and so is another member')
  await wait(service, 60)
  t.equal(said(await post(service, { token })), '201 approved')
})

t.test('slow mode: a guest who takes a new identity waits as well', async (t) => {
  const service = await openService(t, { trustedProxies: ['127.0.0.1'] })
  await set(service, '', { slow_mode_seconds: 60 })
  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
  const { body } = await post(service, from('203.0.113.1'))
  t.equal(said(await post(service, from('203.0.113.1'))), '429 slow_mode')
  t.equal(said(await post(service, from('203.0.113.2'))), '201 approved')
  const moved = { ...from('203.0.113.3'), token: body.guest_token }
  t.equal(said(await post(service, moved)), '429 slow_mode', 'a token is slow wherever it is')
  const viewer = await service.get('/articles/a/viewer', from('203.0.113.1'))
  t.equal(viewer.body.reason, 'slow_mode')
})

t.test(
  'slow mode: members do not slow down guests of their network, and moderators never wait',
  async (t) => {
    const service = await openService(t)
    await openSignOn(service)
    await set(service, '', { slow_mode_seconds: 60 })
    const member = await signToken({ sub: 'm', name: 'Mary' })
    const moderator = await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' })
    const outcomes = []
    for (const call of [{ token: member }, {}, { token: moderator }, { token: moderator }])
      outcomes.push(said(await post(service, call)))
    t.same(outcomes, Array(4).fill('201 approved'))
  },
)

t.test('slow mode: a thread has its own interval, or that of the site', async (t) => {
  const service = await openService(t)
  await post(service)
  const paceOf = async () => (await service.get('/articles/a')).body.slow_mode_seconds
  await set(service, '', { slow_mode_seconds: 60 })
  t.equal(await paceOf(), 60)
  t.equal((await service.get('/config')).body.slow_mode_seconds, 60)
  await set(service, '/articles/a', { slow_mode_seconds: 0 })
  t.equal(await paceOf(), 0)
  t.equal(said(await post(service)), '201 approved')
  t.match((await set(service, '/articles/a', { slow_mode_seconds: null })).body, {
    slow_mode_seconds: null,
  })
  t.equal(await paceOf(), 60)
  t.equal(said(await post(service)), '429 slow_mode')
  t.equal((await service.get('/articles/absent')).body.slow_mode_seconds, 60)
})

t.test('slow mode counts held comments, but no edits and repeated requests', async (t) => {
  const service = await openService(t)
  await set(service, '', { slow_mode_seconds: 60, moderation: 'pre' })
  const headers = { 'idempotency-key': 'one-key-for-this-comment' }
  const first = await post(service, { headers })
  t.equal(said(first), '202 pending')
  t.equal((await post(service, { headers })).body.id, first.body.id)
  t.equal(said(await post(service)), '429 slow_mode')
  await wait(service, 60)
  const token = first.body.guest_token
  const edit = { token, body: { body: 'y' } }
  t.equal((await service.call('PATCH', `${SITE}/comments/${first.body.id}`, edit)).status, 202)
  t.equal(said(await post(service, { token })), '202 pending')
})
