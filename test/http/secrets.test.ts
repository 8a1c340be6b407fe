import t, { type Test } from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { callers, openService, SECRET, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

const NEW_SECRET = 'another secret for tests'
const SITE = '/v1/sites/default'

/** A service, and nodes of it with other secrets. */
const openNodes = async (t: Test) => {
  const service = await openService(t, { trustedProxies: ['127.0.0.1'] })
  const withSecrets = async (...secrets: string[]) =>
    callers(await openTwin(t, service, { secrets }), service.adminKey)
  return {
    service,
    both: await withSecrets(NEW_SECRET, SECRET),
    alone: await withSecrets(NEW_SECRET),
  }
}

const ban = (service: Pick<TestService, 'call' | 'adminKey'>, body: object) =>
  service.call('POST', `${SITE}/moderation/bans`, {
    token: service.adminKey,
    body: { effect: 'block', ...body },
  })

t.test('guest tokens and cursors of the former secret are valid while it is listed', async (t) => {
  const { service, both, alone } = await openNodes(t)
  const { guest_token: token } = await service.post('a', 'one')
  await service.post('a', 'two')
  const viewer = { path: '/articles/a/viewer', call: { token } }
  t.equal((await both.get(viewer.path, viewer.call)).body.author.name, 'Ada')
  t.equal((await alone.get(viewer.path, viewer.call)).body.author, null)
  const { next_cursor: cursor } = (await service.get('/comments?limit=1')).body
  t.equal((await both.get(`/comments?limit=1&cursor=${cursor}`)).body.items.length, 1)
  t.match(await alone.get(`/comments?limit=1&cursor=${cursor}`), { status: 400 })
  const renewed = (await both.get('/comments?limit=1')).body.next_cursor
  t.equal((await alone.get(`/comments?limit=1&cursor=${renewed}`)).status, 200, 'the first signs')
  const post = await both.post('a', 'three', {}, { token })
  t.equal(post.author.name, 'Ada', 'and the guest writes')
})

t.test('bans of e-mail addresses match under each secret', async (t) => {
  const { service, both, alone } = await openNodes(t)
  await ban(service, { kind: 'email', value: 'eve@example.org' })
  const author = { name: 'Eve', email: 'EVE@example.org' }
  const body = { body: 'x', author }
  const post = (node: Pick<TestService, 'call'>) =>
    node.call('POST', `${SITE}/articles/a/comments`, { body })
  t.match(await post(service), { status: 403, body: { code: 'banned' } })
  t.match(await post(both), { status: 403, body: { code: 'banned' } })
  t.match(await post(alone), { status: 201 }, 'the former secret is not listed')
  const list = (node: Pick<TestService, 'get'>) =>
    node.get('/moderation/bans?kind=email&value=eve@example.org', { token: service.adminKey })
  t.equal((await list(both)).body.items.length, 1)
  t.equal((await list(alone)).body.items.length, 0)
})

t.test('a member who was erased under the former secret stays erased', async (t) => {
  const { service, both, alone } = await openNodes(t)
  await openSignOn(service)
  const token = await signToken({ sub: 'ada' })
  const { author } = (await service.get('/articles/a/viewer', { token })).body
  const erased = await service.call('DELETE', `${SITE}/authors/${author.id}`, { token })
  t.equal(erased.status, 204)
  t.match(await both.get('/articles/a/viewer', { token }), { status: 401 })
  t.match(await alone.get('/articles/a/viewer', { token }), { status: 200 }, 'it is not listed')
})

t.test('a transfer code of the former secret is valid while it is listed', async (t) => {
  const { service, both, alone } = await openNodes(t)
  const { guest_token: token } = await service.post('a', 'one')
  const { code } = (await service.call('POST', `${SITE}/guests/transfer`, { token })).body
  const claim = (node: Pick<TestService, 'call'>) =>
    node.call('POST', `${SITE}/guests/claim`, { body: { code } })
  t.match(await claim(alone), { status: 404 })
  t.match(await claim(both), { status: 200, body: { author: { name: 'Ada' } } })
})

t.test('a ban of an address finds the comments that the former secret hashed', async (t) => {
  const { service, both } = await openNodes(t)
  const from = { headers: { 'x-forwarded-for': '203.0.113.9' } }
  const { id } = await service.post('a', 'from there', {}, from)
  const made = await both.call('POST', `${SITE}/moderation/bans`, {
    token: service.adminKey,
    body: { kind: 'network', value: '203.0.113.9', effect: 'block', existing_comments: 'spam' },
  })
  t.equal(made.status, 201)
  t.match(await service.get(`/comments/${id}`), { status: 404 })
})

/** Guest tokens that count no more: of another secret, with a damaged end, and of an erased guest. */
const staleTokens = async (service: TestService): Promise<Record<string, string>> => {
  const { author, guest_token: token } = await service.post('b', 'gone')
  await service.call('DELETE', `${SITE}/authors/${author.id}`, { token })
  const { guest_token: other } = await service.post('a', 'here')
  return { erased: token, damaged: `${other.slice(0, -2)}__` }
}

t.test(
  'a public read ignores a stale guest token, and says so to pages of other origins',
  async (t) => {
    const service = await openService(t)
    const { id, author } = await service.post('a', 'one')
    const reads = ['/articles/a', '/articles/a/comments', '/comments', '/articles', '/config']
    reads.push('/counts?article_id=a', '/staff', `/comments/${id}`, `/comments/${id}/replies`)
    reads.push(`/authors/${author.id}/comments`, '/articles/a/viewer')
    for (const [name, token] of Object.entries(await staleTokens(service)))
      for (const path of reads) {
        const open = await service.get(path)
        const headers = { origin: 'https://a.example', 'if-none-match': open.headers.etag ?? '*' }
        const stale = await service.get(path, { token, headers })
        t.match(
          stale,
          {
            status: 200,
            headers: {
              'guest-token': 'stale',
              'cache-control': 'private, no-store',
              'access-control-expose-headers': /guest-token/,
            },
          },
          `${path}: ${name}`,
        )
        if (!path.endsWith('viewer')) t.same(stale.body, open.body, path)
        for (const again of [await service.get(path), open])
          t.notOk('guest-token' in again.headers, 'a shared response never has the header')
      }
    const [token] = Object.values(await staleTokens(service))
    const counts = await service.call('POST', `${SITE}/counts`, {
      token,
      body: { article_ids: ['a'] },
    })
    t.match(counts, { status: 200, headers: { 'guest-token': 'stale' } })
    const { guest_token: valid } = await service.post('a', 'two')
    t.notOk('guest-token' in (await service.get('/comments', { token: valid })).headers)
  },
)

t.test(
  'a stale guest token reads nothing where only members read, and writes nothing',
  async (t) => {
    const service = await openService(t)
    const tokens = await staleTokens(service)
    const { id } = await service.post('a', 'one')
    const body = { body: 'x', author: { name: 'Ada' } }
    for (const token of Object.values(tokens)) {
      const invalid = { status: 401, body: { code: 'invalid_token' } }
      const write = (method: string, path: string, sent: object) =>
        service.call(method, `${SITE}${path}`, { token, body: sent })
      t.match(await write('POST', '/articles/a/comments', body), invalid)
      t.match(await write('PUT', `/comments/${id}/vote`, { value: 1 }), invalid)
      t.match(await write('POST', `/comments/${id}/flags`, { reason: 'spam' }), invalid)
      t.match(await service.get('/moderation/comments', { token }), invalid)
    }
    await service.call('PATCH', SITE, {
      token: service.adminKey,
      body: { who_may_read: 'members' },
    })
    for (const token of Object.values(tokens)) {
      const refused = await service.get('/articles/a/comments', { token })
      t.match(refused, { status: 401, body: { code: 'login_required' } })
    }
  },
)

t.test('every other invalid credential is refused, also by public reads', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const now = Math.floor(Date.now() / 1000)
  const expired = await signToken({ iat: now - 7_200, exp: now - 3_600 })
  for (const token of [expired, 'k'.repeat(40), 'nonsense', 'g.short'])
    t.match(await service.get('/comments', { token }), {
      status: 401,
      body: { code: 'invalid_token' },
    })
})

t.test('stale guest tokens count as reads, and not as attempts to sign on', async (t) => {
  const service = await openService(t, { limits: { read: 100, write: 2 } })
  const token = `g.x.${'A'.repeat(32)}`
  for (let n = 0; n < 5; n++) t.equal((await service.get('/comments', { token })).status, 200)
})
