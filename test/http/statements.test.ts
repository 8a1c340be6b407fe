import { sql } from 'kysely'
import t from 'tap'
import { ABSENT } from '../ids.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

const state = (service: TestService, id: string, token?: string) =>
  service.get(`/comments/${id}/statement`, { token: token ?? '' })

/** A fresh comment of a guest, and how it asks. */
const write = async (service: TestService, body = 'x') => {
  const { id, guest_token: token } = await service.post('a', body)
  return { id, token, ask: async () => (await state(service, id, token)).body }
}

const setSite = (service: TestService, body: object) =>
  service.call('PATCH', SITE, { token: service.adminKey, body })

t.test(
  'a statement tells the author who decided, on which grounds and when, and nothing else',
  async (t) => {
    const service = await openService(t)
    const { id, ask } = await write(service)
    t.match(await ask(), {
      comment_id: id,
      status: 'published',
      decided_by: 'rules',
      ground: { reason: null, rules: [] },
      appeal: null,
      may_appeal: false,
    })
    const more = { reason: 'off_topic', note: 'internal remark' }
    const { body: decision } = await service.decide(id, 'approved', 'rejected', more)
    const statement = await ask()
    t.match(statement, {
      status: 'removed',
      decided_by: 'moderator',
      ground: { reason: 'off_topic', rules: [] },
      decided_at: decision.at,
      may_appeal: true,
    })
    t.notMatch(JSON.stringify(statement), new RegExp(`internal|"${decision.by}"`))
  },
)

t.test(
  'a statement names the rules that hold a comment, apart from a moderator who agrees',
  async (t) => {
    const service = await openService(t)
    await setSite(service, { moderation: 'pre' })
    const { id, ask } = await write(service)
    const held = { status: 'held', decided_by: 'rules', may_appeal: false }
    t.match(await ask(), { ...held, ground: { rules: [{ rule: 'moderation_mode' }] } })
    await service.decide(id, 'pending', 'approved')
    t.match(await ask(), { status: 'published', decided_by: 'moderator' })
  },
)

t.test('a statement shows spam as held as long as only rules decided', async (t) => {
  const service = await openService(t)
  await setSite(service, { moderation: 'pre' })
  const { id, ask } = await write(service)
  const pending = await ask()
  await sql`update comments set status = 'spam'`.execute(service.db)
  t.same(await ask(), pending)
  await service.decide(id, 'spam', 'pending')
  await service.decide(id, 'pending', 'spam', { reason: 'spam' })
  t.match(await ask(), { status: 'removed', decided_by: 'moderator', ground: { reason: 'spam' } })
})

t.test('the statement of a shadowed comment is that of a published one', async (t) => {
  const service = await openService(t)
  const { ask } = await write(service)
  const published = await ask()
  for (const status of ['approved', 'rejected', 'pending'] as const) {
    await sql`update comments set shadowed = true, status = ${status}`.execute(service.db)
    t.same(await ask(), published)
  }
})

t.test('the statement of a deleted shadowed comment says deleted', async (t) => {
  const service = await openService(t)
  const { id, ask } = await write(service)
  await sql`update comments set shadowed = true, status = 'rejected', published_at = null`.execute(
    service.db,
  )
  await service.call('DELETE', `${SITE}/comments/${id}`, { token: service.adminKey })
  t.match(await ask(), { status: 'removed', decided_by: 'moderator' })
})

t.test('a statement tells a deletion by the author from one by a moderator', async (t) => {
  const service = await openService(t)
  const own = await write(service)
  await service.call('DELETE', `${SITE}/comments/${own.id}`, { token: own.token })
  const removed = { status: 'removed', decided_by: 'author', decided_at: null, may_appeal: false }
  t.match(await own.ask(), removed)
  const other = await write(service, 'y')
  await service.call('DELETE', `${SITE}/comments/${other.id}`, { token: service.adminKey })
  t.match(await other.ask(), { status: 'removed', decided_by: 'moderator', may_appeal: true })
})

t.test('a statement names the flags of readers that hold a comment', async (t) => {
  const service = await openService(t)
  await setSite(service, { flag_threshold: 1 })
  const { id, ask } = await write(service)
  const { guest_token: token } = await service.post('a', 'of a reader')
  const body = { reason: 'spam', note: 'their words' }
  await service.call('POST', `${SITE}/comments/${id}/flags`, { token, body })
  const statement = await ask()
  t.match(statement, { status: 'held', decided_by: 'readers', ground: { reason: null, rules: [] } })
  t.notMatch(JSON.stringify(statement), 'their words')
})

t.test('a statement does not take a later hold for an earlier decision', async (t) => {
  const service = await openService(t)
  const { id, token, ask } = await write(service)
  await service.decide(id, 'approved', 'pending')
  t.match(await ask(), { status: 'held', decided_by: 'moderator' })
  await service.decide(id, 'pending', 'approved')
  await setSite(service, { moderation: 'pre' })
  const edit = { token, body: { body: 'changed' } }
  await service.call('PATCH', `${SITE}/comments/${id}`, edit)
  t.match(await ask(), { status: 'held', decided_by: 'rules' })
})

t.test('only the author gets the statement, whatever rights others have', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { id, token } = await write(service)
  const { guest_token: other } = await service.post('a', 'y')
  const moderator = await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' })
  const statusFor = async (by: string | undefined) => (await state(service, id, by)).status
  const all = async () => ({
    nobody: await statusFor(undefined),
    key: await statusFor(service.adminKey),
    other: await statusFor(other),
    moderator: await statusFor(moderator),
    author: await statusFor(token),
  })
  t.same(await all(), { nobody: 401, key: 403, other: 403, moderator: 403, author: 200 })
  await service.decide(id, 'approved', 'rejected')
  t.same(await all(), { nobody: 401, key: 403, other: 404, moderator: 404, author: 200 })
  await sql`update comments set status = 'approved', shadowed = true`.execute(service.db)
  t.equal(await statusFor(other), 404, 'and nothing of what is shadowed')
  for (const absent of [ABSENT, 'nonsense'])
    t.equal((await state(service, absent, token)).status, 404, absent)
})
