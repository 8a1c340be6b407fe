import t from 'tap'
import { SECRET, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

const patch = (world: TestService, body: object, headers: Record<string, string> = {}) =>
  world.call('PATCH', SITE, { token: world.adminKey, body, headers })

t.test('a site is made with its settings, found in the list, and used', async (t) => {
  const world = await openService(t)
  const body = { slug: 'blog', name: 'Blog', origins: ['https://blog.example'], sorts: ['oldest'] }
  const made = await world.call('POST', '/v1/sites', { token: world.adminKey, body })
  t.match(made, { status: 201, headers: { location: '/v1/sites/blog' }, body })
  t.match(made.body, { who_may_post: 'anyone', retention_days: 30, sign_on: null, version: 1 })
  const posted = await world.call('POST', '/v1/sites/blog/articles/a/comments', {
    body: { body: 'x', author: { name: 'Ada' } },
  })
  t.equal(posted.status, 201)
  const list = await world.call('GET', '/v1/sites?limit=1', { token: world.adminKey })
  t.equal(list.body.items[0].slug, 'default')
  const rest = await world.call('GET', `/v1/sites?cursor=${list.body.next_cursor}`, {
    token: world.adminKey,
  })
  t.same(
    rest.body.items.map(({ slug }: { slug: string }) => slug),
    ['blog'],
  )
})

t.test('a slug is taken for ever, and only a key for all sites makes one', async (t) => {
  const world = await openService(t)
  const make = (token: string | undefined, slug: string) =>
    world.call('POST', '/v1/sites', { token, body: { slug, name: 'x' } })
  const taken = await make(world.adminKey, 'default')
  t.match(taken, { status: 400, body: { errors: [{ pointer: '/slug', detail: 'is taken' }] } })
  const { id } = (await world.sites.find('default'))!
  t.equal((await make(await world.makeKey('admin', id), 'x')).status, 403)
  t.equal((await make(await world.makeKey('moderate'), 'x')).status, 403)
  t.match(await make(undefined, 'x'), { status: 401, body: { code: 'login_required' } })
  t.equal((await make(world.adminKey, 'No Slug')).status, 400)
})

t.test('only what is named changes, with a version and an entry in the audit', async (t) => {
  const world = await openService(t)
  const settings = {
    limits: { create: 3, vote: 0 },
    sorts: ['best', 'newest'],
    retention_days: 7,
    flag_threshold: 5,
    edit_window_seconds: 60,
    max_depth: 9,
  }
  t.match(await patch(world, settings), { status: 200, body: { ...settings, version: 2 } })
  const { body } = await patch(world, { limits: { create: null } })
  t.same(body.limits, { vote: 0 })
  const audit = (await world.get('/audit', { token: world.adminKey })).body.items
  t.match(audit[0], { action: 'site_updated', subject: 'default', by: /^k/ })
  t.same(
    [audit[0].before, audit[0].after],
    [{ limits: { create: 3, vote: 0 } }, { limits: { vote: 0 } }],
  )
})

t.test('two changes at once are both there, and both recorded', async (t) => {
  const world = await openService(t)
  await Promise.all([patch(world, { retention_days: 1 }), patch(world, { flag_threshold: 2 })])
  const { body } = await world.get('', { token: world.adminKey })
  t.match(body, { retention_days: 1, flag_threshold: 2, version: 3 })
  t.equal((await world.get('/audit', { token: world.adminKey })).body.items.length, 2)
})

t.test('with If-Match only the version that was seen is changed', async (t) => {
  const world = await openService(t)
  t.equal((await patch(world, { name: 'A' }, { 'if-match': '"1"' })).status, 200)
  const late = await patch(world, { name: 'B' }, { 'if-match': '"1"' })
  t.match(late, { status: 412, body: { code: 'edit_conflict' } })
  t.equal((await patch(world, { name: 'B' }, { 'if-match': 'one' })).status, 400)
})

t.test('the secrets of a site never leave it', async (t) => {
  const world = await openService(t)
  const hs256 = [{ kid: 'one', secret: SECRET }]
  const changed = await patch(world, { sign_on: { issuer: 'https://example.org', hs256 } })
  t.same(changed.body.sign_on, { issuer: 'https://example.org', hs256: [{ kid: 'one' }] })
  const told = await Promise.all([
    world.get('', { token: world.adminKey }),
    world.get('/config'),
    world.get('/audit', { token: world.adminKey }),
    world.call('GET', '/v1/sites', { token: world.adminKey }),
  ])
  for (const { text } of told) t.notMatch(text, SECRET)
})

t.test(
  'secrets are rotated by kid: what is not sent again stays, what is left out ends',
  async (t) => {
    const world = await openService(t)
    const issuer = 'https://example.org'
    await patch(world, { sign_on: { issuer, hs256: [{ kid: 'one', secret: SECRET }] } })
    const token = await signToken()
    const status = async () => (await world.get('/config', { token })).status
    t.equal(await status(), 200)
    const next = { kid: 'two', secret: SECRET.toUpperCase() }
    await patch(world, { sign_on: { issuer, hs256: [next, { kid: 'one' }] } })
    t.equal(await status(), 200, 'both hold')
    await patch(world, { sign_on: { issuer, hs256: [{ kid: 'two' }] } })
    t.equal(await status(), 401)
    const unknown = await patch(world, { sign_on: { issuer, hs256: [{ kid: 'three' }] } })
    t.match(unknown, { status: 400, body: { errors: [{ pointer: '/sign_on/hs256/0/secret' }] } })
    await patch(world, { sign_on: null })
    t.equal((await world.get('', { token: world.adminKey })).body.sign_on, null)
  },
)

t.test('settings that cannot be are refused with where they are wrong', async (t) => {
  const world = await openService(t)
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
    const answer = await patch(world, body)
    t.match(answer, { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(body))
  }
  t.equal((await world.get('', { token: world.adminKey })).body.version, 1)
})

t.test('readers get the orders that the site has, its first one unasked', async (t) => {
  const world = await openService(t)
  await patch(world, { sorts: ['oldest', 'top'] })
  for (const body of ['one', 'two']) await world.post('a', body)
  const { body } = await world.get('/articles/a/comments')
  t.equal(body.items[0].body, 'one')
  t.match((await world.get('/config')).body, { sorts: ['oldest', 'top'], default_sort: 'oldest' })
  const refused = await world.get('/articles/a/comments?sort=newest')
  t.match(refused, { status: 400, body: { errors: [{ parameter: 'sort' }] } })
  t.equal((await world.get('/articles/a/comments?sort=top')).status, 200)
})
