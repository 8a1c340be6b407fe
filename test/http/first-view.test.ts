import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { createLocalCacheTokens } from '../../src/cache/cache-tokens.ts'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { openTwin } from '../twin.ts'

const SITE = '/v1/sites/default'
const FIRST_VIEW = '/articles/a/comments?include=config,staff'

const change = async ({ call, adminKey: token }: TestService, path: string, body: object) => {
  const answer = await call('PATCH', `${SITE}${path}`, { token, body })
  if (answer.status !== 200) throw new Error(answer.text)
}

/** Staff of the site: a moderator whom it lists, and an owner whom it does not. */
const openStaff = async (service: TestService) => {
  await openSignOn(service)
  const moderator = { name: 'Grace', roles: ['contributor', 'moderator'], location: 'Ghent' }
  await change(service, '/members/grace', { ...moderator, listed: true })
  await change(service, '/members/mary', { name: 'Mary', roles: ['owner'], location: 'Bern' })
  const [grace, mary] = await Promise.all([
    signToken({ sub: 'grace', name: 'Grace' }),
    signToken({ sub: 'mary', name: 'Mary' }),
  ])
  return { grace, mary }
}

t.test('the first view has the settings and the staff among its authors', async (t) => {
  const service = await openService(t)
  const { grace, mary } = await openStaff(service)
  const root = await service.post('a', 'a guest')
  await service.post('a', 'not listed', {}, { token: mary })
  const reply = await service.post('a', 'listed', { parent_id: root.id }, { token: grace })
  const { body } = await service.get(FIRST_VIEW)
  t.same(body.config, (await service.get('/config')).body)
  t.same(body.staff, {
    [reply.author.id]: { roles: ['contributor', 'moderator'], location: 'Ghent' },
  })
  const plain = (await service.get('/articles/a/comments')).body
  const { config: _, staff: __, ...rest } = body
  t.same(rest, plain, 'everything else is as without `include`')
  t.same(Object.keys((await service.get('/articles/a/comments?include=config')).body), [
    'thread',
    'items',
    'next_cursor',
    'config',
  ])
  const flat = await service.get('/articles/a/comments?view=flat&include=staff&limit=1')
  t.match(flat.body, { items: [{ body: 'listed' }], staff: body.staff, config: undefined })
})

t.test('the first view names no staff whom readers do not meet on it', async (t) => {
  const service = await openService(t)
  const { grace } = await openStaff(service)
  const removed = await service.post('a', 'removed', {}, { token: grace })
  await service.post('a', 'a reply', { parent_id: removed.id })
  await service.decide(removed.id, 'approved', 'rejected')
  const withTombstone = await service.get(FIRST_VIEW)
  t.match(withTombstone.body, { items: [{ author: null }], staff: {} })
  await service.post('b', 'older', {}, { token: grace })
  await service.post('b', 'newer')
  const first = await service.get('/articles/b/comments?include=staff&limit=1')
  t.match(first.body, { items: [{ body: 'newer' }], staff: {} })
  const second = await service.get(
    `/articles/b/comments?include=staff&cursor=${first.body.next_cursor}`,
  )
  t.equal(Object.keys(second.body.staff).length, 1, 'a later page can ask for its own')
  await change(service, '/members/grace', { suspended: true })
  await until('a suspended member is not shown as staff', async () => {
    const { body } = await service.get('/articles/b/comments?include=staff')
    return Object.keys(body.staff).length === 0
  })
})

t.test('cursors and Link headers are the same with and without `include`', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'root')
  for (const n of [1, 2, 3]) await service.post('a', `reply ${n}`, { parent_id: root.id })
  await service.post('a', 'another root')
  const query = 'limit=1&replies=1'
  const withAll = await service.get(`/articles/a/comments?${query}&include=config,staff`)
  const plain = await service.get(`/articles/a/comments?${query}`)
  t.equal(withAll.body.next_cursor, plain.body.next_cursor)
  t.equal(withAll.headers.link, plain.headers.link)
  const next = await service.get(`/articles/a/comments?cursor=${withAll.body.next_cursor}`)
  t.match(next.body, { items: [{ body: 'root' }] })
  t.notOk('config' in next.body)
})

t.test('an article without comments has a first view too', async (t) => {
  const service = await openService(t)
  const { body } = await service.get('/articles/absent/comments?include=config,staff')
  const { body: config } = await service.get('/config')
  t.match(body, { thread: { may_post: 'anyone', reason: null }, items: [], staff: {}, config })
})

t.test('`include` takes one spelling of each combination', async (t) => {
  const service = await openService(t)
  for (const include of ['', 'staff,config', 'config,config', 'votes', 'config&include=staff']) {
    const { status } = await service.get(`/articles/a/comments?include=${include}`)
    t.equal(status, 400, include)
  }
})

t.test('changed settings and changed staff give the first view another entity tag', async (t) => {
  const service = await openService(t, { tokens: createLocalCacheTokens(randomUUID) })
  const twin = await openTwin(t, service)
  const { grace } = await openStaff(service)
  await service.post('a', 'listed', {}, { token: grace })
  await until('the listing has reached the thread', async () =>
    (await service.get(FIRST_VIEW)).text.includes('Ghent'),
  )
  const apps = [service.app, twin]
  const read = (app: (typeof apps)[number], headers: Record<string, string> = {}) =>
    app.inject({ method: 'GET', url: `${SITE}${FIRST_VIEW}`, headers })
  const signOn = async (claims: object) => {
    const iat = Math.floor(Date.now() / 1000) + 5
    const token = await signToken({ sub: 'grace', name: 'Grace', iat, ...claims })
    await service.get('/articles/a/viewer', { token })
  }
  const changes: [shows: string, act: () => Promise<void>][] = [
    ['"max_body_length":77', () => change(service, '', { max_body_length: 77 })],
    ['"location":"Lyon"', () => change(service, '/members/grace', { location: 'Lyon' })],
    // The role that her comments show stays the same.
    ['"roles":["moderator"]', () => change(service, '/members/grace', { roles: ['moderator'] })],
    ['"roles":["contributor","moderator"]', () => signOn({ role: 'contributor' })],
    ['"staff":{}', () => change(service, '/members/grace', { listed: false })],
  ]
  for (const [shows, act] of changes) {
    const before = await Promise.all(apps.map((app) => read(app)))
    await act()
    for (const [n, app] of apps.entries()) {
      const etag = String(before[n]!.headers.etag)
      const answer = await until(`${shows} on node ${n}`, async () => {
        const found = await read(app, { 'if-none-match': etag })
        return found.statusCode === 200 ? found : undefined
      })
      t.ok(answer.body.includes(shows), shows)
      t.not(answer.headers.etag, etag)
    }
  }
})

t.test('a thread says who may post: what a post by a guest and by a member gets', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { guest_token: guest } = await service.post('a', 'x')
  const member = await signToken()
  let texts = 0
  const post = async (token: string) => {
    const path = `${SITE}/articles/a/comments`
    const answer = await service.call('POST', path, { token, body: { body: `text ${texts++}` } })
    return answer.status === 201 ? null : answer.body.code
  }
  const settings = fc.record({
    state: fc.constantFrom('open', 'closed'),
    who_may_post: fc.constantFrom('anyone', 'members', 'nobody'),
    thread: fc.constantFrom('open', 'closed', 'locked'),
  })
  const property = fc.asyncProperty(settings, async ({ thread: state, ...site }) => {
    await change(service, '', site)
    await change(service, '/articles/a', { state })
    const { thread } = (await service.get('/articles/a/comments')).body
    const [ofGuest, ofMember] = [await post(guest), await post(member)]
    const expected = ofMember !== null ? 'nobody' : ofGuest !== null ? 'members' : 'anyone'
    if (thread.may_post !== expected) throw new Error(`${thread.may_post} is not ${expected}`)
    // Nobody may post where the thread is closed, whether or not the site is for members too.
    const reason = expected === 'nobody' ? ofMember : ofGuest
    if (thread.reason !== reason) throw new Error(`${thread.reason} is not ${reason}`)
    const { may_post, reason: code } = thread
    const other = [(await service.get('/articles/a')).body, (await service.get('/articles')).body]
    t.match(other, [{ may_post, reason: code }, { items: [{ may_post, reason: code }] }])
  })
  await t.resolves(fc.assert(property, { numRuns: runs(20, 60), endOnFailure: true }))
})
