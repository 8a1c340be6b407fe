import fc from 'fast-check'
import t from 'tap'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

const SITE = '/v1/sites/default'
/** Read at each use: a run of many files begins minutes after this one is loaded. */
const now = (): number => Math.floor(Date.now() / 1000)

const openMembers = async (t: Parameters<typeof openService>[0]): Promise<TestService> => {
  const service = await openService(t)
  await openSignOn(service)
  return service
}

t.test('a member posts under the name and picture of its token', async (t) => {
  const service = await openMembers(t)
  const picture = 'https://example.org/ada.png'
  const token = await signToken({ picture, url: 'https://ada.example', role: 'contributor' })
  const comment = await service.post('a', 'hello', { author: { name: 'Somebody else' } }, { token })
  t.match(comment.author, {
    name: 'Ada',
    avatar_url: picture,
    url: 'https://ada.example',
    kind: 'member',
    role: 'contributor',
  })
  t.notOk('guest_token' in comment)
  const again = await service.post('b', 'again', {}, { token: await signToken({ name: 'Ada' }) })
  t.equal(again.author.id, comment.author.id, 'the account is the same')
  const { body } = await service.get(`/authors/${comment.author.id}/comments`)
  t.same(
    body.items.map((item: { body: string }) => item.body),
    ['again', 'hello'],
  )
})

t.test('a newer member token updates the profile everywhere, an older one nowhere', async (t) => {
  const service = await openMembers(t)
  await service.post('a', 'one', {}, { token: await signToken({ iat: now() - 100 }) })
  await service.post(
    'b',
    'two',
    {},
    { token: await signToken({ iat: now() - 90, name: 'Countess' }) },
  )
  const shown = async () => (await service.get('/articles/a/comments')).body.items[0].author.name
  await until('for the other thread to show it', async () => (await shown()) === 'Countess')
  const older = await signToken({ iat: now() - 95, name: 'Byron' })
  const comment = await service.post('c', 'three', {}, { token: older })
  t.equal(comment.author.name, 'Countess')
  t.equal(await shown(), 'Countess')
})

t.test(
  'the role moderator moderates and the role owner administers, on their site only',
  async (t) => {
    const service = await openMembers(t)
    await service.call('POST', '/v1/sites', {
      token: service.adminKey,
      body: { slug: 'other', name: 'Other' },
    })
    await openSignOn(service, 'other')
    const { id } = await service.post('a', 'x')
    const moderator = await signToken({ sub: 'grace', name: 'Grace', role: 'moderator' })
    const decision = await service.call('POST', `${SITE}/comments/${id}/decisions`, {
      token: moderator,
      body: { from: 'approved', to: 'rejected' },
    })
    t.equal(decision.status, 201)
    t.match(decision.body.by, /^a/, 'the decision names the member')
    t.equal((await service.get('', { token: moderator })).status, 403)
    const owner = await signToken({ sub: 'olga', name: 'Olga', role: ['owner', 'contributor'] })
    t.equal((await service.get('', { token: owner })).status, 200)
    t.equal((await service.call('GET', '/v1/sites/other', { token: owner })).status, 401)
  },
)

t.test('a demoted member keeps no right by an older token', async (t) => {
  const service = await openMembers(t)
  const before = await signToken({ iat: now() - 60, role: 'moderator' })
  t.equal((await service.get('/moderation/counts', { token: before })).status, 200)
  await service.get('/config', { token: await signToken({ iat: now() - 30 }) })
  t.equal((await service.get('/moderation/counts', { token: before })).status, 403)
})

t.test('a suspended moderator loses every right, and can be banned', async (t) => {
  const service = await openMembers(t)
  const key = { token: service.adminKey }
  const token = await signToken({ role: 'moderator' })
  const { author } = await service.post('a', 'hello', {}, { token })
  const path = `${SITE}/members/ada`
  const ban = { kind: 'author', value: author.id, effect: 'block' }
  t.equal(
    (await service.call('POST', `${SITE}/moderation/bans`, { ...key, body: ban })).status,
    400,
  )
  const suspended = await service.call('PATCH', path, { ...key, body: { suspended: true } })
  t.match(suspended, { status: 200, body: { suspended_at: /Z$/, author: { role: 'reader' } } })
  const newer = await signToken({ role: 'owner', iat: now() + 30 })
  for (const as of [token, newer]) {
    for (const read of ['/articles/a/comments', '/moderation/counts'])
      t.match(await service.get(read, { token: as }), {
        status: 403,
        body: { code: 'member_suspended' },
      })
    const body = { body: 'again' }
    const post = await service.call('POST', `${SITE}/articles/a/comments`, { token: as, body })
    t.match(post, { status: 403, body: { code: 'member_suspended' } })
  }
  t.equal(
    (await service.call('POST', `${SITE}/moderation/bans`, { ...key, body: ban })).status,
    201,
  )
  const { body } = await service.get('/audit', key)
  t.match(body.items[0], {
    action: 'member_updated',
    before: { suspended_at: null },
    after: { suspended_at: /Z$/ },
  })
  await service.call('PATCH', path, { ...key, body: { suspended: false } })
  t.equal((await service.get('/moderation/counts', { token })).status, 200)
})

t.test('ignored token roles leave a member only the roles of administrators', async (t) => {
  const service = await openMembers(t)
  const key = { token: service.adminKey }
  const token = await signToken({ role: 'moderator' })
  const count = async (as = token) =>
    (await service.get('/moderation/counts', { token: as })).status
  t.equal(await count(), 200)
  const change = (body: object) => service.call('PATCH', `${SITE}/members/ada`, { ...key, body })
  await change({ roles: [], token_roles_ignored: true })
  t.equal(await count(), 403)
  t.equal(await count(await signToken({ role: 'owner', iat: now() + 30 })), 403)
  await change({ roles: ['moderator'] })
  t.equal(await count(), 200)
})

t.test('a suspension and ignored token roles outlive an erasure', async (t) => {
  const service = await openMembers(t)
  const key = { token: service.adminKey }
  for (const [sub, body] of [
    ['ada', { suspended: true }],
    ['grace', { token_roles_ignored: true }],
  ] as const) {
    const role = 'moderator'
    const { author } = await service.post('a', sub, {}, { token: await signToken({ sub, role }) })
    await service.call('PATCH', `${SITE}/members/${sub}`, { ...key, body })
    await service.call('DELETE', `${SITE}/authors/${author.id}`, key)
    const newer = await signToken({ sub, role, iat: now() + 50 })
    t.equal((await service.get('/moderation/counts', { token: newer })).status, 403, sub)
  }
})

t.test('an older token has no right that only the newest one carries', async (t) => {
  const service = await openMembers(t)
  const older = await signToken({ iat: now() - 60 })
  await service.get('/config', { token: await signToken({ iat: now() - 30, role: 'moderator' }) })
  t.equal((await service.get('/moderation/counts', { token: older })).status, 403)
})

t.test('an owner changes the rights of no owner and not their own, an admin key can', async (t) => {
  const service = await openMembers(t)
  const owner = await signToken({ sub: 'olga', role: 'owner' })
  await service.get('/config', { token: await signToken({ role: 'owner' }) })
  const change = (token: string, subject: string, body: object) =>
    service.call('PATCH', `${SITE}/members/${subject}`, { token, body })
  for (const body of [{ suspended: true }, { roles: [] }, { token_roles_ignored: true }])
    for (const subject of ['ada', 'olga'])
      t.match(await change(owner, subject, body), { status: 403, body: { code: 'forbidden' } })
  t.equal((await change(owner, 'ada', { listed: true })).status, 200)
  t.equal((await change(service.adminKey, 'ada', { suspended: true })).status, 200)
  t.equal((await change(owner, 'ada', { suspended: false })).status, 403)
})

type Step = { readonly iat: number; readonly role: readonly string[] } | Record<string, unknown>
const RANKS = ['contributor', 'moderator', 'owner']
const rolesArbitrary = fc.subarray(RANKS)
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ iat: fc.integer({ min: 1, max: 30 }), role: rolesArbitrary }),
  fc.record({ roles: rolesArbitrary }),
  fc.record({ token_roles_ignored: fc.boolean() }),
  fc.record({ suspended: fc.boolean() }),
)

t.test('a member has only rights of the token sent or of administrators', async (t) => {
  const service = await openMembers(t)
  const key = { token: service.adminKey }
  let members = 0
  const rank = (roles: readonly string[]) =>
    roles.includes('owner') ? 2 : roles.includes('moderator') ? 1 : 0
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 1, maxLength: 8 }), async (steps) => {
      const sub = `member${members++}`
      let state = { roles: [] as string[], token_roles_ignored: false, suspended: false }
      for (const step of steps) {
        if (!('iat' in step)) {
          state = { ...state, ...step }
          const body = { name: 'Ada', ...step }
          await service.call('PATCH', `${SITE}/members/${sub}`, { ...key, body })
          continue
        }
        const { iat, role } = step as { iat: number; role: string[] }
        const token = await signToken({ sub, iat: now() - 60 + iat, role })
        const counts = await service.get('/moderation/counts', { token })
        const site = await service.get('', { token })
        const held = site.status === 200 ? 2 : counts.status === 200 ? 1 : 0
        const carried = state.token_roles_ignored ? 0 : rank(role)
        t.ok(held <= (state.suspended ? 0 : Math.max(carried, rank(state.roles))))
        if (!state.suspended) t.ok(held >= rank(state.roles))
      }
    }),
    { numRuns: runs(5, 60) },
  )
})

t.test('where only members may post, guests are told to log in', async (t) => {
  const service = await openMembers(t)
  const guest = await service.post('a', 'as a guest')
  await service.call('PATCH', SITE, {
    token: service.adminKey,
    body: { who_may_post: 'members', login_url: 'https://example.org/login' },
  })
  const body = { body: 'x', author: { name: 'Ada' } }
  for (const token of [undefined, guest.guest_token]) {
    const answer = await service.call('POST', `${SITE}/articles/a/comments`, { token, body })
    t.match([answer.status, answer.body], [401, { code: 'login_required' }])
  }
  t.equal((await service.get('/config')).body.login_url, 'https://example.org/login')
  const { status } = await service.post('a', 'as a member', {}, { token: await signToken() })
  t.equal(status, 'approved')
})

t.test('only the author among members edits and deletes a comment', async (t) => {
  const service = await openMembers(t)
  const token = await signToken()
  const { id } = await service.post('a', 'x', {}, { token })
  const stranger = await signToken({ sub: 'mallory', name: 'Mallory' })
  const path = `${SITE}/comments/${id}`
  const edit = (as: string) => service.call('PATCH', path, { token: as, body: { body: 'y' } })
  t.equal((await edit(stranger)).status, 403)
  t.match(await edit(token), { status: 200, body: { body: 'y', revision: 2 } })
  t.equal((await service.call('DELETE', path, { token: stranger })).status, 403)
  t.equal((await service.call('DELETE', path, { token })).status, 204)
})

t.test('listStaff shows listed staff with all roles and their location', async (t) => {
  const service = await openMembers(t)
  const name = (subject: string, body: object) =>
    service.call('PATCH', `${SITE}/members/${subject}`, { token: service.adminKey, body })
  await name('corey', {
    name: 'Grace',
    roles: ['contributor', 'moderator'],
    location: 'United States',
    listed: true,
  })
  await name('quiet', { name: 'Quiet', roles: ['moderator'] })
  await service.get('/config', { token: await signToken({ role: 'contributor' }) })
  await name('ada', { listed: true, location: 'Canada' })
  const { body, headers } = await service.get('/staff')
  t.match(headers, { etag: /^"/, 'cache-control': /public/ })
  t.match(body.items, [
    { name: 'Grace', roles: ['contributor', 'moderator'], location: 'United States' },
    { name: 'Ada', roles: ['contributor'], location: 'Canada', avatar_url: /^\/v1\/avatars\/a/ },
  ])
  t.equal(body.items.length, 2)
  for (const { id, avatar_url: avatar } of body.items)
    t.equal(avatar, `/v1/avatars/${id}.svg`, 'the id of the author')
  const first = (await service.get('/staff?limit=1')).body
  const rest = (await service.get(`/staff?limit=1&cursor=${first.next_cursor}`)).body
  t.same([...first.items, ...rest.items], body.items)
  t.equal(rest.next_cursor, null)
})

t.test(
  'updateMember creates a member before the first sign-on, and sign-on keeps the roles',
  async (t) => {
    const service = await openMembers(t)
    const path = `${SITE}/members/ada`
    const as = { token: service.adminKey }
    const nameless = await service.call('PATCH', path, { ...as, body: { roles: ['moderator'] } })
    t.match(nameless, { status: 400, body: { errors: [{ pointer: '/name' }] } })
    const made = await service.call('PATCH', path, {
      ...as,
      body: { name: 'A', roles: ['moderator'] },
    })
    t.match(made, {
      status: 200,
      body: { subject: 'ada', roles: ['moderator'], signed_on_at: null },
    })
    const token = await signToken({ email: 'ada@example.org', email_verified: true })
    t.equal((await service.get('/moderation/counts', { token })).status, 200)
    const { body } = await service.call('GET', path, as)
    t.match(body, { author: { name: 'Ada', role: 'moderator', id: made.body.author.id } })
    t.match(body, { email: 'ada@example.org', email_verified: true, token_roles: [] })
    t.equal((await service.call('GET', `${SITE}/members/nobody`, as)).status, 404)
  },
)

t.test('an avatar depends on the author id alone', async (t) => {
  const service = await openService(t)
  const { author } = await service.post('a', 'x')
  const answer = await service.call('GET', author.avatar_url)
  t.match(answer.headers, { 'content-type': 'image/svg+xml', 'cache-control': /immutable/ })
  t.match(answer.text, /^<svg /)
  t.equal((await service.call('GET', author.avatar_url)).text, answer.text)
  t.not((await service.call('GET', '/v1/avatars/azz.svg')).text, answer.text)
  t.equal((await service.call('GET', '/v1/avatars/nobody-1.svg')).status, 404)
})
