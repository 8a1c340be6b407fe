import t from 'tap'
import { SECRET, signToken } from '../members.ts'
import { type Answer, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

const patch = (service: TestService, body: object, headers: Record<string, string> = {}) =>
  service.call('PATCH', SITE, { token: service.adminKey, body, headers })

t.test('createSite creates a site with its settings, which is listed and usable', async (t) => {
  const service = await openService(t)
  const body = { slug: 'blog', name: 'Blog', origins: ['https://blog.example'], sorts: ['oldest'] }
  const made = await service.call('POST', '/v1/sites', { token: service.adminKey, body })
  t.match(made, { status: 201, headers: { location: '/v1/sites/blog' }, body })
  t.match(made.body, { who_may_post: 'anyone', retention_days: 30, sign_on: null, version: 1 })
  const posted = await service.call('POST', '/v1/sites/blog/articles/a/comments', {
    body: { body: 'x', author: { name: 'Ada' } },
  })
  t.equal(posted.status, 201)
  const list = await service.call('GET', '/v1/sites?limit=1', { token: service.adminKey })
  t.equal(list.body.items[0].slug, 'default')
  const rest = await service.call('GET', `/v1/sites?cursor=${list.body.next_cursor}`, {
    token: service.adminKey,
  })
  t.same(
    rest.body.items.map(({ slug }: { slug: string }) => slug),
    ['blog'],
  )
})

t.test('createSite refuses a used slug, and needs a key for all sites', async (t) => {
  const service = await openService(t)
  const make = (token: string | undefined, slug: string) =>
    service.call('POST', '/v1/sites', { token, body: { slug, name: 'x' } })
  const taken = await make(service.adminKey, 'default')
  t.match(taken, { status: 400, body: { errors: [{ pointer: '/slug', detail: 'is taken' }] } })
  const { id } = (await service.sites.find('default'))!
  t.equal((await make(await service.makeKey('admin', id), 'x')).status, 403)
  t.equal((await make(await service.makeKey('moderate'), 'x')).status, 403)
  t.match(await make(undefined, 'x'), { status: 401, body: { code: 'login_required' } })
  t.equal((await make(service.adminKey, 'No Slug')).status, 400)
})

t.test(
  'updateSite changes the named settings only, with a version and an audit entry',
  async (t) => {
    const service = await openService(t)
    const settings = {
      limits: { create: 3, vote: 0 },
      sorts: ['best', 'newest'],
      retention_days: 7,
      flag_threshold: 5,
      edit_window_seconds: 60,
      max_depth: 9,
    }
    t.match(await patch(service, settings), { status: 200, body: { ...settings, version: 2 } })
    const { body } = await patch(service, { limits: { create: null } })
    t.same(body.limits, { vote: 0 })
    const audit = (await service.get('/audit', { token: service.adminKey })).body.items
    t.match(audit[0], { action: 'site_updated', subject: 'default', by: /^k/ })
    t.same(
      [audit[0].before, audit[0].after],
      [{ limits: { create: 3, vote: 0 } }, { limits: { vote: 0 } }],
    )
  },
)

t.test('two concurrent updates of a site are both stored and both audited', async (t) => {
  const service = await openService(t)
  await Promise.all([patch(service, { retention_days: 1 }), patch(service, { flag_threshold: 2 })])
  const { body } = await service.get('', { token: service.adminKey })
  t.match(body, { retention_days: 1, flag_threshold: 2, version: 3 })
  t.equal((await service.get('/audit', { token: service.adminKey })).body.items.length, 2)
})

t.test('updateSite with If-Match changes only the version that the caller saw', async (t) => {
  const service = await openService(t)
  t.equal((await patch(service, { name: 'A' }, { 'if-match': '"1"' })).status, 200)
  const late = await patch(service, { name: 'B' }, { 'if-match': '"1"' })
  t.match(late, { status: 412, body: { code: 'edit_conflict' } })
  t.equal((await patch(service, { name: 'B' }, { 'if-match': 'one' })).status, 400)
})

t.test('the secrets of a site never leave it', async (t) => {
  const service = await openService(t)
  const hs256 = [{ kid: 'one', secret: SECRET }]
  const changed = await patch(service, { sign_on: { issuer: 'https://example.org', hs256 } })
  t.same(changed.body.sign_on, {
    issuer: 'https://example.org',
    max_token_age: 2_592_000,
    hs256: [{ kid: 'one' }],
  })
  const told = await Promise.all([
    service.get('', { token: service.adminKey }),
    service.get('/config'),
    service.get('/audit', { token: service.adminKey }),
    service.call('GET', '/v1/sites', { token: service.adminKey }),
  ])
  for (const { text } of told) t.notMatch(text, SECRET)
})

t.test('updateSite rotates secrets by kid: listed kids stay, omitted ones end', async (t) => {
  const service = await openService(t)
  const issuer = 'https://example.org'
  await patch(service, { sign_on: { issuer, hs256: [{ kid: 'one', secret: SECRET }] } })
  const token = await signToken()
  const status = async () => (await service.get('/config', { token })).status
  t.equal(await status(), 200)
  const next = { kid: 'two', secret: SECRET.toUpperCase() }
  await patch(service, { sign_on: { issuer, hs256: [next, { kid: 'one' }] } })
  t.equal(await status(), 200, 'both hold')
  await patch(service, { sign_on: { issuer, hs256: [{ kid: 'two' }] } })
  t.equal(await status(), 401)
  const unknown = await patch(service, { sign_on: { issuer, hs256: [{ kid: 'three' }] } })
  t.match(unknown, { status: 400, body: { errors: [{ pointer: '/sign_on/hs256/0/secret' }] } })
  await patch(service, { sign_on: null })
  t.equal((await service.get('', { token: service.adminKey })).body.sign_on, null)
})

t.test('updateSite refuses invalid settings and names the field', async (t) => {
  const service = await openService(t)
  const issuer = 'https://example.org'
  const key = { kid: 'a', secret: SECRET }
  const wrong: object[] = [
    { sorts: [] },
    { sorts: ['newest', 'newest'] },
    { sorts: ['loudest'] },
    { limits: { create: -1 } },
    { limits: { everything: 1 } },
    { retention_days: 3651 },
    { flag_threshold: 1.5 },
    { sign_on: { issuer } },
    { sign_on: { issuer, hs256: [] } },
    { sign_on: { issuer, hs256: [{ kid: 'a', secret: 'short' }] } },
    { sign_on: { issuer, hs256: [key, key] } },
    { sign_on: { issuer, jwks_url: 'http://example.org/keys' } },
    { sign_on: { issuer, jwks_url: 'https://ada:pw@example.org/keys' } },
    { sign_on: { issuer, jwks_url: 'https://example.org/keys', hs256: [key] } },
    { sign_on: { issuer: '', hs256: [key] } },
  ]
  for (const body of wrong) {
    const answer = await patch(service, body)
    t.match(answer, { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(body))
  }
  t.equal((await service.get('', { token: service.adminKey })).body.version, 1)
})

t.test('readers get the sorts of the site, its first one by default', async (t) => {
  const service = await openService(t)
  await patch(service, { sorts: ['oldest', 'top'] })
  for (const body of ['one', 'two']) await service.post('a', body)
  const { body } = await service.get('/articles/a/comments')
  t.equal(body.items[0].body, 'one')
  t.match((await service.get('/config')).body, { sorts: ['oldest', 'top'], default_sort: 'oldest' })
  const refused = await service.get('/articles/a/comments?sort=newest')
  t.match(refused, { status: 400, body: { errors: [{ parameter: 'sort' }] } })
  t.equal((await service.get('/articles/a/comments?sort=top')).status, 200)
})

type Json = Record<string, any>

/** An answer in a few words: its status, and why not. */
const said = ({ status, body }: Answer): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

const asAdmin = (service: TestService) => ({
  get: (path: string) => service.get(path, { token: service.adminKey }),
  changeThread: (article: string, body: Json) =>
    service.call('PATCH', `${SITE}/articles/${article}`, { token: service.adminKey, body }),
  changeSite: (body: Json) => service.call('PATCH', SITE, { token: service.adminKey, body }),
})

t.test('getSite and updateSite', async (t) => {
  const service = await openService(t)
  const { get, changeSite } = asAdmin(service)

  t.test('getSite returns all settings, and updateSite changes the named ones', async (t) => {
    const fresh = (await get('')).body
    t.match(fresh, {
      slug: 'default',
      name: 'Default',
      origins: ['*'],
      moderation: 'post',
      who_may_post: 'anyone',
    })
    t.match(fresh, { login_url: null, edit_window_seconds: 300, max_depth: 100, version: 1 })
    const changes: Json[] = [
      { name: 'My site' },
      { origins: ['https://a.example', 'http://localhost:3000'] },
      { moderation: 'pre' },
      { who_may_post: 'members', login_url: 'https://a.example/login' },
      { edit_window_seconds: 0, max_depth: 0 },
      { login_url: null, origins: [] },
    ]
    let expected = fresh
    for (const change of changes) {
      const { status, body } = await changeSite(change)
      expected = { ...expected, ...change, version: expected.version + 1 }
      t.same({ status, body }, { status: 200, body: expected }, JSON.stringify(change))
      t.same((await get('')).body, expected)
    }
  })

  t.test('updateSite takes exact origins only', async (t) => {
    const bad = [
      'https://a.example/',
      'a.example',
      'https://*.a.example',
      'null',
      'HTTPS://A.example',
      'https://a.example:443',
      'ftp://a.example',
      'https://u@a.example',
      '',
      'file://',
    ]
    for (const origin of bad) {
      const answer = await changeSite({ origins: [origin] })
      t.equal(said(answer), '400 invalid_request', origin)
      t.equal(answer.body.errors?.[0].pointer, '/origins', origin)
    }
    t.equal(said(await changeSite({ origins: ['*', 'https://a.example'] })), '400 invalid_request')
    t.equal(said(await changeSite({ origins: ['*'] })), '200')
  })

  t.test('updateSite names the invalid fields', async (t) => {
    const faults: [Json, string][] = [
      [{}, ''],
      [{ name: '' }, '/name'],
      [{ moderation: 'site' }, '/moderation'],
      [{ who_may_post: 'all' }, '/who_may_post'],
      [{ login_url: 'x' }, '/login_url'],
      [{ edit_window_seconds: -1 }, '/edit_window_seconds'],
      [{ edit_window_seconds: 1.5 }, '/edit_window_seconds'],
      [{ max_depth: 401 }, '/max_depth'],
      [{ max_depth: '3' }, '/max_depth'],
      [{ slug: 'other' }, '/slug'],
    ]
    for (const [change, pointer] of faults) {
      const answer = await changeSite(change)
      t.equal(said(answer), '400 invalid_request', JSON.stringify(change))
      t.equal(answer.body.errors?.[0].pointer, pointer, JSON.stringify(change))
    }
  })
})
