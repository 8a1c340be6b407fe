import t from 'tap'
import { openWorld, type TestWorld } from '../world.ts'

const SITE = '/v1/sites/default'
const SECRET = 'the-secret-of-a-check-32-characters'
const OWN = { name: 'own', kind: 'http', url: 'https://checks.example/ask', secret: SECRET }
const AKISMET = {
  name: 'akismet',
  kind: 'akismet',
  secret: 'api-key-of-akismet',
  site_url: 'https://blog.example',
}

const set = (world: TestWorld, checks: object[]) =>
  world.call('PATCH', SITE, { token: world.adminKey, body: { checks } })

t.test('a site names its checks, and their secrets never leave', async (t) => {
  const world = await openWorld(t)
  t.same((await world.get('', { token: world.adminKey })).body.checks, [])
  const changed = await set(world, [OWN, { ...AKISMET, timeout_ms: 500, is_test: true }])
  t.same(changed.body.checks, [
    { name: 'own', kind: 'http', url: OWN.url, timeout_ms: 1_500 },
    {
      name: 'akismet',
      kind: 'akismet',
      url: 'https://rest.akismet.com/1.1',
      timeout_ms: 500,
      site_url: 'https://blog.example',
      is_test: true,
    },
  ])
  const told = await Promise.all([
    world.get('', { token: world.adminKey }),
    world.get('/config'),
    world.get('/audit', { token: world.adminKey }),
    world.call('GET', '/v1/sites', { token: world.adminKey }),
  ])
  for (const { text } of [changed, ...told]) {
    t.notMatch(text, SECRET)
    t.notMatch(text, AKISMET.secret)
  }
  t.match(told[2].body.items[0], { action: 'site_updated', before: { checks: [] } })
  t.notMatch(told[1].text, /checks/, 'readers need not know')
})

t.test('a secret that is left out stays, but does not move to another address', async (t) => {
  const world = await openWorld(t)
  const secretOf = async () => {
    world.sites.forget('default')
    return (await world.sites.find('default'))!.checks.map(({ secret }) => secret)
  }
  const { secret: _, ...without } = OWN
  t.match(await set(world, [without]), {
    status: 400,
    body: { errors: [{ pointer: '/checks/0/secret' }] },
  })
  await set(world, [OWN])
  t.equal((await set(world, [{ ...without, timeout_ms: 100 }])).status, 200)
  t.same(await secretOf(), [SECRET])
  for (const other of [{ url: 'https://elsewhere.example' }, { name: 'other' }])
    t.equal((await set(world, [{ ...without, ...other }])).status, 400)
  await set(world, [])
  t.same(await secretOf(), [])
})

t.test('checks that cannot be are refused with where they are wrong', async (t) => {
  const world = await openWorld(t)
  const wrong: [object[], string][] = [
    [[{ ...OWN, url: 'http://checks.example' }], '/checks/0/url'],
    [[{ ...OWN, url: 'https://a:b@checks.example' }], '/checks/0/url'],
    [[{ ...AKISMET, site_url: 'blog' }], '/checks/0/site_url'],
    [[OWN, OWN], '/checks'],
    [Array.from({ length: 6 }, (_, n) => ({ ...OWN, name: `n${n}` })), '/checks'],
    [[{ ...OWN, name: 'constructor' }], '/checks/0'],
    [[{ ...OWN, name: 'A b' }], '/checks/0'],
    [[{ ...OWN, secret: 'short' }], '/checks/0'],
    [[{ ...OWN, timeout_ms: 2_001 }], '/checks/0'],
    [[{ ...OWN, kind: 'magic' }], '/checks/0'],
    [[{ ...OWN, more: 1 }], '/checks/0'],
  ]
  for (const [checks, pointer] of wrong) {
    const answer = await set(world, checks)
    t.match(answer, { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(checks))
    const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer)
    t.ok(
      pointers.some((one: string) => one.startsWith(pointer)),
      `${pointers} has ${pointer}`,
    )
  }
})
