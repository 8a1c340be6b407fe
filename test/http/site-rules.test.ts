import t, { type Test } from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { type Answer, type Call, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

type Json = Record<string, any>

const said = ({ status, body }: Answer): string =>
  body?.code ? `${status} ${body.code}` : `${status}`

const set = async (t: Test, service: TestService, body: object) =>
  t.match(await service.call('PATCH', SITE, { token: service.adminKey, body }), {
    status: 200,
    body,
  })

const post = (service: TestService, body: object, call: Call = {}) =>
  service.call('POST', `${SITE}/articles/a/comments`, { ...call, body })

const ADA = { author: { name: 'Ada' } }

t.test('on a closed site nobody writes, readers read, and the staff moderates', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const member = await signToken({ sub: 'm', name: 'Mary' })
  const mine = await service.post('a', 'mine')
  const other = await service.post('a', 'of somebody else')
  await set(t, service, { state: 'closed' })
  const guest = { token: mine.guest_token }
  const send = (method: string, path: string, body: object | undefined, call: Call = guest) =>
    service.call(method, `${SITE}${path}`, { ...call, body }).then(said)
  t.equal(said(await post(service, { body: 'x', ...ADA })), '403 site_closed')
  t.equal(said(await post(service, { body: 'x' }, { token: member })), '403 site_closed')
  t.equal(said(await post(service, { body: 'x' }, { token: service.adminKey })), '403 site_closed')
  t.equal(await send('POST', '/guests', { name: 'Eve' }, {}), '403 site_closed')
  t.equal(await send('PATCH', `/comments/${mine.id}`, { body: 'y' }), '403 site_closed')
  t.equal(await send('PUT', `/comments/${other.id}/vote`, { value: 1 }), '403 site_closed')
  t.equal(await send('POST', `/comments/${other.id}/flags`, { reason: 'spam' }), '403 site_closed')
  const viewer = await service.get('/articles/a/viewer')
  t.match(viewer.body, { may_post: false, reason: 'site_closed' })
  t.match((await service.get('/config')).body, { state: 'closed' })
  t.equal((await service.get('/articles/a/comments')).body.items.length, 2)
  t.equal((await service.decide(other.id, 'approved', 'spam')).status, 201)
  t.equal(await send('DELETE', `/comments/${mine.id}`, undefined), '204')
  await set(t, service, { state: 'open' })
  t.equal(said(await post(service, { body: 'x', ...ADA })), '201')
})

t.test(
  'voting accepts all votes, upvotes only, or none; a vote can always be withdrawn',
  async (t) => {
    const service = await openService(t)
    const { id } = await service.post('a', 'x')
    const { guest_token: token } = await service.post('b', 'y')
    const vote = async (value: number) =>
      said(await service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value } }))
    t.equal(await vote(-1), '200')
    await set(t, service, { voting: 'up' })
    t.equal(await vote(-1), '403 voting_disabled')
    t.equal(await vote(1), '200')
    await set(t, service, { voting: 'off' })
    t.equal(await vote(1), '403 voting_disabled')
    t.match((await service.get('/config')).body, { voting: 'off' })
    t.equal(await vote(0), '200')
  },
)

t.test('where an e-mail is required, guests give one and members need none', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const early = (await service.post('a', 'early')).guest_token
  await set(t, service, { email_required: true })
  const missing = await post(service, { body: 'x', ...ADA })
  t.match(missing, { status: 400, body: { errors: [{ pointer: '/author/email' }] } })
  t.equal((await post(service, { body: 'x' }, { token: early })).status, 400)
  const author = { name: 'Ada', email: 'ada@example.org' }
  const made = await post(service, { body: 'x', author })
  t.equal(made.status, 201)
  const token = made.body.guest_token
  t.equal((await post(service, { body: 'by token' }, { token })).status, 201)
  t.equal((await post(service, { body: 'x', ...ADA }, { token })).status, 400, 'it would be lost')
  const guest = await service.call('POST', `${SITE}/guests`, { body: { name: 'Eve' } })
  t.match(guest, { status: 400, body: { errors: [{ pointer: '/email' }] } })
  const member = await signToken({ sub: 'm', name: 'Mary' })
  t.equal((await post(service, { body: 'by Mary' }, { token: member })).status, 201)
})

t.test('a comment has the length that its site allows, and the staff writes any', async (t) => {
  const service = await openService(t)
  await set(t, service, { min_body_length: 3, max_body_length: 5, edit_window_seconds: 300 })
  t.match((await service.get('/config')).body, { min_body_length: 3, max_body_length: 5 })
  for (const body of ['ab', ' ab ', '123456'])
    t.match(await post(service, { body, ...ADA }), {
      status: 400,
      body: { errors: [{ pointer: '/body', detail: /^must be 3 to 5 characters long/ }] },
    })
  const { body } = await post(service, { body: ' 👍👍👍 ', ...ADA })
  t.equal(body.status, 'approved')
  const edit = { token: body.guest_token, body: { body: 'no' } }
  t.equal(
    said(await service.call('PATCH', `${SITE}/comments/${body.id}`, edit)),
    '400 invalid_request',
  )
  t.equal((await post(service, { body: 'no' }, { token: service.adminKey })).status, 201)
  const wrong = { token: service.adminKey, body: { min_body_length: 6 } }
  t.match(await service.call('PATCH', SITE, wrong), {
    status: 400,
    body: { errors: [{ pointer: '/min_body_length' }] },
  })
})

t.test('the language of a site is a tag of BCP 47 in its canonical form', async (t) => {
  const service = await openService(t)
  const change = (language: string | null) =>
    service.call('PATCH', SITE, { token: service.adminKey, body: { language } })
  t.match(await change('EN-gb'), { status: 200, body: { language: 'en-GB' } })
  t.match((await service.get('/config')).body, { language: 'en-GB' })
  for (const wrong of ['english language', 'e', '', 'en_GB'])
    t.match(await change(wrong), { status: 400, body: { errors: [{ pointer: '/language' }] } })
  t.match(await change(null), { status: 200, body: { language: null } })
})

t.test(
  'only members and keys read a site for members, by every operation and without caching',
  async (t) => {
    const service = await openService(t)
    await openSignOn(service)
    const { id, author, guest_token: guest } = await service.post('a', 'secret')
    const tag = (await service.get('/articles/a/comments')).headers.etag
    await set(t, service, { who_may_read: 'members' })
    const member = await signToken({ sub: 'm', name: 'Mary' })
    const reader = await service.makeKey('read')
    const paths = [
      '/articles/a',
      '/articles/a/comments',
      `/comments/${id}`,
      `/comments/${id}/replies`,
      '/comments',
      '/counts?article_id=a',
      '/articles',
      `/authors/${author.id}/comments`,
      '/staff',
      '/articles/a/viewer',
    ]
    for (const path of paths) {
      for (const call of [{}, { token: guest }, { headers: { 'if-none-match': tag } }]) {
        const answer = await service.get(path, call)
        t.equal(said(answer), '401 login_required', path)
        t.equal(answer.headers['cache-control'], 'no-store')
      }
      for (const token of [member, reader]) {
        const { status, headers } = await service.get(path, { token })
        t.match([status, headers['cache-control']], [200, 'private, no-store'], path)
      }
    }
    const counts = { body: { article_ids: ['a'] } }
    t.equal(said(await service.call('POST', `${SITE}/counts`, counts)), '401 login_required')
    t.equal(said(await post(service, { body: 'x', ...ADA })), '401 login_required')
    t.equal(said(await post(service, { body: 'x' }, { token: guest })), '401 login_required')
    t.match((await service.get('/config')).body, { who_may_read: 'members' }, 'a widget knows why')
    t.equal((await service.get(`/authors/${author.id}/export`, { token: guest })).status, 200)
  },
)

t.test('the operations closed to guests on a site for members are all that read', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  await set(t, service, { who_may_read: 'members' })
  const { paths } = service.app.swagger() as Json
  const open: string[] = []
  for (const [path, operations] of Object.entries<Json>(paths))
    for (const [method, { tags, operationId }] of Object.entries<Json>(operations)) {
      if (!tags?.includes('Reading') || !path.includes('{site}')) continue
      const url = path
        .replace('{site}', 'default')
        .replaceAll(/\{(\w+)\}/g, (_, name) => (name === 'id' ? id : 'a'))
      const query = operationId === 'countComments' ? '?article_id=a' : ''
      const content = { listThread: {}, countCommentsOfMany: { article_ids: ['a'] } }
      const body =
        method === 'post' ? { body: { body: 'x', ...(content as Json)[operationId] } } : {}
      const answer = await service.call(method.toUpperCase(), `${url}${query}`, body)
      if (answer.status !== 401) open.push(operationId)
    }
  t.same(open.sort(), ['getSiteConfig', 'previewComment'])
})
