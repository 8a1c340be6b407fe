import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const COMMENTS = `${SITE}/articles/a/comments`
const POST = { body: 'x', author: { name: 'Ada' } }

const set = (service: TestService, limits: object) =>
  service.call('PATCH', SITE, { token: service.adminKey, body: { limits } })

const open = async (t: Parameters<typeof openService>[0], write = 1_000) => {
  const service = await openService(t, {
    limits: { read: 0, write },
    trustedProxies: ['127.0.0.1'],
  })
  await openSignOn(service)
  return service
}

const from = (address: string) => ({ 'x-forwarded-for': address })

t.test('each kind of write has a limit of its own, set by the site', async (t) => {
  const service = await open(t)
  const { id } = await service.post('a', 'x')
  const { body: guest } = await service.call('POST', `${SITE}/guests`, { body: { name: 'Grace' } })
  await set(service, { create: 1, vote: 2, flag: 1, preview: 1, sign_on: 2 })
  const as = { token: guest.guest_token, headers: from('203.0.113.9') }
  const acts: Record<string, [number, () => Promise<{ status: number; headers: any }>]> = {
    create: [1, () => service.call('POST', COMMENTS, { ...as, body: POST })],
    vote: [
      2,
      () => service.call('PUT', `${SITE}/comments/${id}/vote`, { ...as, body: { value: 1 } }),
    ],
    flag: [
      1,
      () =>
        service.call('POST', `${SITE}/comments/${id}/flags`, { ...as, body: { reason: 'spam' } }),
    ],
    preview: [1, () => service.call('POST', `${SITE}/preview`, { ...as, body: { body: 'x' } })],
    sign_on: [2, () => service.call('POST', `${SITE}/guests`, { ...as, body: { name: 'Ada' } })],
  }
  for (const [kind, [count, act]] of Object.entries(acts)) {
    for (let n = 0; n < count; n++) t.ok((await act()).status < 300, `${kind} ${n + 1}`)
    const { status, headers } = await act()
    t.equal(status, 429, kind)
    t.match(headers['ratelimit-policy'], `"${kind}";q=${count};`)
  }
  t.match((await service.get('/config')).body.limits, { create: 1, vote: 2, sign_on: 2 })
})

t.test('a member’s limit does not count strangers on the same network', async (t) => {
  const service = await open(t)
  await set(service, { create: 2 })
  const headers = from('203.0.113.7')
  const statuses: number[] = []
  for (let n = 0; n < 3; n++)
    statuses.push((await service.call('POST', COMMENTS, { headers, body: POST })).status)
  t.same(statuses, [201, 201, 429])
  const token = await signToken()
  const mine: number[] = []
  for (let n = 0; n < 3; n++)
    mine.push(
      (await service.call('POST', COMMENTS, { headers, token, body: { body: 'x' } })).status,
    )
  t.same(mine, [201, 201, 429], 'and has the same limit by itself, wherever it is')
  const elsewhere = { headers: from('198.51.100.1'), token, body: { body: 'x' } }
  t.equal((await service.call('POST', COMMENTS, elsewhere)).status, 429)
})

t.test('guests of one IPv6 /64 share a limit, however many tokens they take', async (t) => {
  const service = await open(t)
  const tokens: string[] = []
  for (let n = 0; n < 3; n++) tokens.push((await service.post('a', 'x')).guest_token)
  await set(service, { create: 2 })
  const post = (n: number) => {
    const headers = from(`2001:db8:1:2::${n}`)
    return service.call('POST', COMMENTS, { headers, token: tokens[n]!, body: { body: 'x' } })
  }
  t.same([(await post(0)).status, (await post(1)).status, (await post(2)).status], [201, 201, 429])
})

t.test('bad credentials count as attempts to sign on', async (t) => {
  const service = await open(t)
  await set(service, { sign_on: 2 })
  const headers = from('203.0.113.5')
  const forged = await signToken({ aud: 'other' })
  const statuses: number[] = []
  for (const token of [forged, 'g.1.1.x', 'x'.repeat(40)])
    statuses.push((await service.get('/config', { headers, token })).status)
  t.same(statuses, [401, 401, 429])
  t.equal((await service.get('/config', { headers, token: await signToken() })).status, 200)
})

t.test('exportAuthor has an audit entry, and a limit that counts nothing else', async (t) => {
  const service = await open(t)
  const { author, guest_token: token } = await service.post('a', 'x')
  const read = () => service.get('/config', { token })
  const exports = () => service.get(`/authors/${author.id}/export`, { token })
  const statuses = async (count: number) => {
    const all: number[] = []
    for (let n = 0; n < count; n++) all.push((await exports()).status)
    return all
  }
  t.same(await statuses(6), [200, 200, 200, 200, 200, 429])
  const { headers } = await exports()
  t.match(headers['ratelimit-policy'], '"export";q=5;')
  t.match(headers['retry-after'], /^\d+$/)
  t.equal((await read()).status, 200)
  const { items } = (await service.get('/audit', { token: service.adminKey })).body
  const entries = items.filter(({ action }: { action: string }) => action === 'author_exported')
  t.equal(entries.length, 5, 'the audit log grows no faster')
  await set(service, { export: 8 })
  t.same(await statuses(2), [200, 429], 'a site sets its own limit; refused attempts count too')
})

t.test('each site counts its limits separately', async (t) => {
  const service = await open(t, 1)
  const body = { slug: 'other', name: 'Other' }
  await service.call('POST', '/v1/sites', { token: service.adminKey, body })
  t.equal((await service.call('POST', COMMENTS, { body: POST })).status, 201)
  t.equal((await service.call('POST', COMMENTS, { body: POST })).status, 429)
  const there = '/v1/sites/other/articles/a/comments'
  t.equal((await service.call('POST', there, { body: POST })).status, 201)
})

t.test('a limit of 0 for the service is no limit, whatever a site sets', async (t) => {
  const service = await open(t, 0)
  await set(service, { create: 1 })
  for (let n = 0; n < 5; n++)
    t.equal((await service.call('POST', COMMENTS, { body: POST })).status, 201)
})
