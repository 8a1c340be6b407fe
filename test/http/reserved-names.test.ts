import fc from 'fast-check'
import t from 'tap'
import { skeletonOf } from '../../src/domain/screening/name-skeleton.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

/** What a guest who posts under the name gets. */
const posting = async (service: TestService, name: string, token?: string): Promise<string> => {
  const { status, body } = await service.call('POST', `${SITE}/articles/a/comments`, {
    ...(token !== undefined && { token }),
    body: { body: `as ${name}`, author: { name } },
  })
  return `${status} ${body.code ?? body.status}`
}

const LOOK_ALIKES = [
  'Grace',
  'GRACE',
  ' grace ',
  'G r a c e',
  'Grácé',
  'Grаce',
  'Gr\u{1d41a}ce',
  'Grace.',
]

t.test('a guest cannot post under the name of a member, in no spelling', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  await service.post('a', 'before the member came', { author: { name: 'Grace' } })
  const token = await signToken({ sub: 'grace', name: 'Grace' })
  await service.post('a', 'by the member', {}, { token })
  for (const name of LOOK_ALIKES) t.equal(await posting(service, name), '422 name_reserved', name)
  t.equal(await posting(service, 'Gracie'), '201 approved')
  const guest = await service.call('POST', `${SITE}/guests`, { body: { name: 'grace' } })
  t.match(guest, { status: 422, body: { code: 'name_reserved' } })
})

t.test('a guest who had the name of a member first must take another one', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { guest_token: token } = await service.post('a', 'first', { author: { name: 'Grace' } })
  await service.get('/config', { token: await signToken({ sub: 'grace', name: 'Grace' }) })
  const again = await service.call('POST', `${SITE}/articles/a/comments`, {
    token,
    body: { body: 'second' },
  })
  t.match(again, { status: 422, body: { code: 'name_reserved' } })
  t.equal(await posting(service, 'Grace of old', token), '201 approved')
})

t.test(
  'the name of a key that posted is reserved, and so are the names that a site adds',
  async (t) => {
    const service = await openService(t)
    const key = await service.makeKey('moderate')
    const { author } = await service.post('a', 'by the key', {}, { token: key })
    t.equal(await posting(service, author.name), '422 name_reserved')
    const change = (reserved_names: string[]) =>
      service.call('PATCH', SITE, { token: service.adminKey, body: { reserved_names } })
    t.match(await change(['ok', '\u202e']), {
      status: 400,
      body: { errors: [{ pointer: '/reserved_names/1' }] },
    })
    t.match((await change(['Editor'])).body, { reserved_names: ['Editor'] })
    t.equal(await posting(service, 'Ed1tor'), '422 name_reserved')
    await change([])
    t.equal(await posting(service, 'Editor'), '201 approved')
  },
)

t.test('an erased member and a renamed one free their names', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const sign = (name: string, iat: number) => signToken({ sub: 'grace', name, iat })
  const now = Math.floor(Date.now() / 1000)
  const { author } = await service.post('a', 'x', {}, { token: await sign('Grace', now - 10) })
  await service.get('/config', { token: await sign('Hopper', now - 5) })
  t.equal(await posting(service, 'Grace'), '201 approved')
  t.equal(await posting(service, 'Hopper'), '422 name_reserved')
  await service.call('DELETE', `${SITE}/authors/${author.id}`, { token: service.adminKey })
  t.equal(await posting(service, 'Hopper'), '201 approved')
})

t.test('a key may post for a guest under any name', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  await service.get('/config', { token: await signToken({ sub: 'grace', name: 'Grace' }) })
  t.equal(await posting(service, 'Grace', service.adminKey), '201 approved')
})

t.test('names have one skeleton in every case and spacing, and with marks between', async (t) => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z]{1,12}$/),
      fc.constantFrom(' ', '.', '\u200b', '\u0301', '-', ''),
      (name, between) => {
        const spelled = Array.from(name.toUpperCase()).join(between)
        return skeletonOf(spelled) === skeletonOf(name)
      },
    ),
  )
  t.equal(skeletonOf(' . '), undefined)
  t.not(skeletonOf('Ada'), skeletonOf('Eda'))
})
