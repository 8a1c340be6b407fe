import { sql } from 'kysely'
import t from 'tap'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

const KEYS = '/v1/sites/default/keys'

const openSites = async (t: Parameters<typeof openService>[0]) => {
  const service = await openService(t)
  const body = { slug: 'other', name: 'Other' }
  await service.call('POST', '/v1/sites', { token: service.adminKey, body })
  const { id } = (await service.sites.find('default'))!
  return { service, siteAdmin: await service.makeKey('admin', id) }
}

const make = (service: TestService, token: string, body: object, at = KEYS) =>
  service.call('POST', at, { token, body })

t.test('createKey shows a key once, it works immediately, and lists omit it', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const { status, body } = await make(service, siteAdmin, { name: 'desk', scope: 'moderate' })
  t.equal(status, 201)
  t.match(body, { name: 'desk', scope: 'moderate', site: 'default', last_used_at: null })
  t.match(body.key, /^[\w-]{43}$/)
  t.equal((await service.get('/moderation/counts', { token: body.key })).status, 200)
  const list = await service.call('GET', KEYS, { token: siteAdmin })
  t.notMatch(list.text, body.key)
  t.match(list.body.items[0], { id: body.id, last_used_at: /^20/ })
  const { rows } = await sql<{ hash: Buffer }>`select * from api_keys`.execute(service.db)
  t.notMatch(JSON.stringify(rows), body.key, 'it is kept nowhere')
})

t.test('a rotated key and the new one overlap, then the old one ends', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const { body: old } = await make(service, siteAdmin, { name: 'desk', scope: 'read' })
  const rotate = (seconds: number) =>
    make(service, siteAdmin, { overlap_seconds: seconds }, `${KEYS}/${old.id}/rotations`)
  const { status, body: next } = await rotate(3600)
  t.equal(status, 201)
  t.match(next, { name: 'desk', scope: 'read', site: 'default', expires_at: null })
  for (const token of [old.key, next.key])
    t.equal((await service.get('/config', { token })).status, 200)
  t.equal((await rotate(0)).status, 201)
  t.equal((await service.get('/config', { token: old.key })).status, 401)
  t.equal((await rotate(0)).status, 404, 'what has ended is not rotated')
})

t.test('updateKey renames a key, which keeps its secret and scope', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const { body } = await make(service, siteAdmin, { name: 'desk', scope: 'read' })
  const rename = (token: string, name: string, at = KEYS) =>
    service.call('PATCH', `${at}/${body.id}`, { token, body: { name } })
  t.match(await rename(siteAdmin, ' front desk '), {
    status: 200,
    body: { id: body.id, name: 'front desk', scope: 'read', site: 'default' },
  })
  t.equal((await service.get('/config', { token: body.key })).status, 200)
  t.equal((await rename(siteAdmin, 'front desk')).status, 200)
  t.match(await rename(service.adminKey, 'counter', '/v1/keys'), { body: { name: 'counter' } })
  t.equal((await rename(siteAdmin, '\u0000')).status, 400)
  const { items } = (await service.get('/audit', { token: siteAdmin })).body
  t.match(items.slice(0, 3), [
    { action: 'key_updated', before: { name: 'front desk' }, after: { name: 'counter' } },
    { action: 'key_updated', before: { name: 'desk' }, after: { name: 'front desk' } },
    { action: 'key_created' },
  ])
  const { id } = (await service.sites.find('other'))!
  const otherAdmin = await service.makeKey('admin', id)
  t.equal((await rename(otherAdmin, 'x', '/v1/sites/other/keys')).status, 404)
})

t.test('a key posts as one staff author of its own, also after a rotation', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const { body: key } = await make(service, siteAdmin, { name: 'desk', scope: 'moderate' })
  const post = (token: string, more: object = {}, site = 'default') =>
    service.call('POST', `/v1/sites/${site}/articles/a/comments`, {
      token,
      body: { body: `${Math.random()}`, ...more },
    })
  const posts = await Promise.all([post(key.key), post(key.key), post(key.key)])
  const first = posts[0]!.body
  t.match(first, { author: { name: 'desk', kind: 'member', role: 'moderator' } })
  t.notOk('guest_token' in first)
  for (const { body } of posts) t.equal(body.author.id, first.author.id)
  const next = await make(service, siteAdmin, {}, `${KEYS}/${key.id}/rotations`)
  const last = await make(service, siteAdmin, {}, `${KEYS}/${next.body.id}/rotations`)
  t.equal((await post(last.body.key)).body.author.id, first.author.id)
  const other = await make(service, siteAdmin, { name: 'bot', scope: 'admin' })
  t.match((await post(other.body.key)).body.author, { name: 'bot', role: 'owner' })
  const named = await post(key.key, { author: { name: 'Ada' } })
  t.match(named.body, { author: { name: 'Ada', kind: 'guest' }, guest_token: /./ })
  const ofAll = await Promise.all(
    ['default', 'other'].map((site) => post(service.adminKey, {}, site)),
  )
  t.not(ofAll[0]!.body.author.id, ofAll[1]!.body.author.id, 'sites are apart')
})

t.test('renaming a key renames the author that it posts as', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const { body: key } = await make(service, siteAdmin, { name: 'desk', scope: 'moderate' })
  await service.post('a', 'x', { author: undefined }, { token: key.key })
  const name = 'front '.repeat(30).trim()
  await service.call('PATCH', `${KEYS}/${key.id}`, { token: siteAdmin, body: { name } })
  const shown = async () => (await service.get('/articles/a/comments')).body.items[0].author.name
  await until('the thread shows the new name', async () => (await shown()) !== 'desk')
  t.equal(await shown(), name.slice(0, 80).trim())
})

t.test('an admin key posts as a member whom it names', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const member = { name: 'Grace', roles: ['moderator'] }
  const call = { token: siteAdmin, body: member }
  const grace = await service.call('PATCH', '/v1/sites/default/members/grace', call)
  const post = (token: string | undefined, body: object) =>
    service.call('POST', '/v1/sites/default/articles/a/comments', {
      token,
      body: { body: 'x', ...body },
    })
  t.match(await post(siteAdmin, { author_subject: 'grace' }), {
    status: 201,
    body: { author: { id: grace.body.author.id, name: 'Grace', role: 'moderator' } },
  })
  const moderator = await make(service, siteAdmin, { name: 'desk', scope: 'moderate' })
  for (const token of [moderator.body.key, undefined])
    t.match(await post(token, { author_subject: 'grace' }), { body: { code: 'forbidden' } })
  for (const body of [
    { author_subject: 'absent' },
    { author_subject: 'grace', author: { name: 'Ada' } },
  ])
    t.match(await post(siteAdmin, body), { status: 400, body: { code: 'invalid_request' } })
})

t.test('a revoked key stops working immediately', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const { body } = await make(service, siteAdmin, { name: 'desk', scope: 'read' })
  const revoke = () => service.call('DELETE', `${KEYS}/${body.id}`, { token: siteAdmin })
  t.same([(await revoke()).status, (await revoke()).status], [204, 204])
  t.match(await service.get('/config', { token: body.key }), {
    status: 401,
    body: { code: 'invalid_token' },
  })
  const rotation = await make(service, siteAdmin, {}, `${KEYS}/${body.id}/rotations`)
  t.equal(rotation.status, 404)
})

t.test('an administrator of one site cannot reach keys of other sites or of all', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const other = await make(
    service,
    service.adminKey,
    { name: 'x', scope: 'read', site: 'other' },
    '/v1/keys',
  )
  t.match(other, { status: 201, body: { site: 'other' } })
  const all = await make(service, service.adminKey, { name: 'y', scope: 'read' }, '/v1/keys')
  t.equal(all.body.site, null)
  for (const { id } of [other.body, all.body]) {
    t.equal((await service.call('DELETE', `${KEYS}/${id}`, { token: siteAdmin })).status, 404)
    t.equal((await make(service, siteAdmin, {}, `${KEYS}/${id}/rotations`)).status, 404)
  }
  t.equal((await service.call('GET', '/v1/keys', { token: siteAdmin })).status, 403)
  t.equal((await make(service, siteAdmin, { name: 'z', scope: 'read', site: 'other' })).status, 400)
  const { items } = (await service.call('GET', KEYS, { token: siteAdmin })).body
  t.ok(items.every(({ site }: { site: string }) => site === 'default'))
})

t.test('a key expires at its time, which cannot be in the past', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const expires = new Date(Date.now() + 3_600_000).toISOString()
  const { body } = await make(service, siteAdmin, { name: 'x', scope: 'read', expires_at: expires })
  t.equal(body.expires_at, expires)
  await sql`update api_keys set expires_at = now() where name = 'x'`.execute(service.db)
  t.equal((await service.get('/config', { token: body.key })).status, 401)
  const past = { name: 'x', scope: 'read', expires_at: '2020-01-01T00:00:00Z' }
  t.match(await make(service, siteAdmin, past), {
    status: 400,
    body: { errors: [{ pointer: '/expires_at' }] },
  })
})

t.test('every change of keys is in the audit log, which is append-only', async (t) => {
  const { service, siteAdmin } = await openSites(t)
  const { body } = await make(service, siteAdmin, { name: 'desk', scope: 'read' })
  const next = await make(service, siteAdmin, {}, `${KEYS}/${body.id}/rotations`)
  await service.call('DELETE', `${KEYS}/${body.id}`, { token: siteAdmin })
  const { items } = (await service.get('/audit', { token: siteAdmin })).body
  t.match(items.slice(0, 3), [
    { action: 'key_revoked', subject: body.id },
    { action: 'key_rotated', subject: next.body.id, before: { id: body.id } },
    { action: 'key_created', subject: body.id, after: { name: 'desk', scope: 'read' } },
  ])
  const page = (await service.get('/audit?limit=2', { token: siteAdmin })).body
  const rest = (
    await service.get(`/audit?limit=50&cursor=${page.next_cursor}`, { token: siteAdmin })
  ).body
  t.same([...page.items, ...rest.items], items)
  const ofService = (await service.call('GET', '/v1/audit', { token: service.adminKey })).body.items
  t.ok(ofService.some(({ action }: { action: string }) => action === 'site_created'))
  t.equal((await service.call('GET', '/v1/audit', { token: siteAdmin })).status, 403)
  await t.rejects(sql`delete from audit`.execute(service.db), /append-only/)
  await t.rejects(sql`update audit set done_by = 'k1'`.execute(service.db), /append-only/)
})
