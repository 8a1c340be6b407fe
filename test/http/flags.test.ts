import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

const makeGuest = async (world: TestService): Promise<string> =>
  (await world.call('POST', `${SITE}/guests`, { body: { name: 'Grace' } })).body.guest_token

const flag = (world: TestService, id: string, token: string | undefined, body: object = {}) =>
  world.call('POST', `${SITE}/comments/${id}/flags`, { token, body: { reason: 'spam', ...body } })

const set = (world: TestService, body: object) =>
  world.call('PATCH', SITE, { token: world.adminKey, body })

const queue = async (world: TestService, query: string) =>
  (await world.get(`/moderation/comments?${query}`, { token: world.adminKey })).body

t.test('a flag is for moderators, and readers see nothing of it', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const before = await world.get('/articles/a/comments')
  const answer = await flag(world, id, await makeGuest(world), { note: 'everywhere' })
  t.match(answer, { status: 201, body: { reason: 'spam', flagged_at: /^20/ } })
  t.equal(answer.headers['thread-version'], undefined)
  t.same((await world.get('/articles/a/comments')).headers.etag, before.headers.etag)
  const { items } = await queue(world, 'flagged=true')
  t.match(items, [{ id, flag_count: 1, flags: [{ reason: 'spam', note: 'everywhere' }] }])
  t.equal(items[0].flags[0].resolved, false)
})

t.test('one flag for each reader, however often and fast it is sent', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const token = await makeGuest(world)
  const answers = await Promise.all(Array.from({ length: 20 }, () => flag(world, id, token)))
  t.equal(answers.filter(({ status }) => status === 201).length, 1)
  t.equal(answers.filter(({ status }) => status === 200).length, 19)
  await flag(world, id, token, { reason: 'illegal' })
  const { items } = await queue(world, 'flagged=true')
  t.match(items, [{ flag_count: 1, flags: [{ reason: 'illegal' }] }])
  t.same(await recount(world.db), [])
})

t.test('as many flags as the site says hold the comment, once and with a decision', async (t) => {
  const world = await openService(t)
  await openSignOn(world)
  await set(world, { flag_threshold: 3 })
  const { id } = await world.post('a', 'x')
  const tokens = await Promise.all(
    ['ada', 'grace', 'olga', 'rosa', 'mary'].map((sub) => signToken({ sub, name: sub })),
  )
  const answers = await Promise.all(tokens.map((token) => flag(world, id, token)))
  t.equal(answers.filter(({ status }) => status === 201).length, 3)
  t.equal(answers.filter(({ status }) => status === 404).length, 2, 'after that it is not there')
  t.equal((await world.get(`/comments/${id}`)).status, 404)
  const { items } = (await world.get('/moderation/decisions', { token: world.adminKey })).body
  t.equal(items.length, 1)
  t.match(items[0], { from: 'approved', to: 'pending', by: 'flags', note: '3 flags' })
  t.same(await recount(world.db), [])
})

t.test('a decision settles the flags: one more does not hold it again', async (t) => {
  const world = await openService(t)
  await set(world, { flag_threshold: 2 })
  const { id } = await world.post('a', 'x')
  const [one, two, three] = await Promise.all([1, 2, 3].map(() => makeGuest(world)))
  await flag(world, id, one)
  await flag(world, id, two)
  t.equal((await world.decide(id, 'pending', 'approved')).status, 201)
  t.equal((await flag(world, id, three)).status, 201)
  t.equal((await flag(world, id, one)).status, 200, 'who has flagged before counts no more')
  t.equal((await world.get(`/comments/${id}`)).status, 200)
  const { items } = await queue(world, 'flagged=true')
  t.match(items, [{ flag_count: 1, status: 'approved' }])
  t.equal(items[0].flags.filter((told: { resolved: boolean }) => told.resolved).length, 2)
  t.same(await recount(world.db), [])
})

t.test('the queue shows the most flagged first, page by page', async (t) => {
  const world = await openService(t)
  await set(world, { moderation: 'post' })
  const ids: string[] = []
  for (const body of ['none', 'one', 'three', 'two']) ids.push((await world.post('a', body)).id)
  const tokens = await Promise.all([1, 2, 3].map(() => makeGuest(world)))
  const flags = [0, 1, 3, 2].flatMap((count, i) =>
    tokens.slice(0, count).map((token) => flag(world, ids[i]!, token)),
  )
  await Promise.all(flags)
  const seen: string[] = []
  let cursor = ''
  do {
    const page = await queue(world, `status=approved&sort=flags&limit=1${cursor}`)
    seen.push(page.items[0].body)
    cursor = page.next_cursor && `&cursor=${page.next_cursor}`
  } while (cursor)
  t.same(seen, ['three', 'two', 'one', 'none'])
  const unflagged = await queue(world, 'status=approved&flagged=false')
  t.same(
    unflagged.items.map(({ body }: { body: string }) => body),
    ['none'],
  )
})

t.test('three guests of one network flag a comment, and no more', async (t) => {
  const world = await openService(t, { limits: { read: 0, write: 1_000 } })
  const { id } = await world.post('a', 'x')
  const tokens = await Promise.all([1, 2, 3, 4].map(() => makeGuest(world)))
  const statuses: number[] = []
  for (const token of tokens) statuses.push((await flag(world, id, token)).status)
  t.same(statuses, [201, 201, 201, 403])
  t.equal((await flag(world, id, tokens[0])).status, 200, 'who has one may change it')
})

t.test('nobody, keys and authors of the comment do not flag', async (t) => {
  const world = await openService(t)
  const { id, guest_token: own } = await world.post('a', 'x')
  t.match(await flag(world, id, undefined), { status: 401, body: { code: 'login_required' } })
  t.equal((await flag(world, id, world.adminKey)).status, 403)
  t.equal((await flag(world, id, own)).status, 403)
})

t.test('flags and decisions on the same comments never wait for each other', async (t) => {
  const world = await openService(t)
  await set(world, { flag_threshold: 2 })
  const ids: string[] = []
  for (let n = 0; n < 6; n++) ids.push((await world.post('a', `x${n}`)).id)
  const tokens = await Promise.all(Array.from({ length: 4 }, () => makeGuest(world)))
  const answers = await Promise.all(
    ids.flatMap((id) => [
      ...tokens.map((token) => flag(world, id, token)),
      world.decide(id, 'approved', 'rejected'),
    ]),
  )
  t.ok(answers.every(({ status }) => [200, 201, 404, 409].includes(status)))
  t.same(await recount(world.db), [])
})

t.test('moderators read what a comment said before', async (t) => {
  const world = await openService(t)
  const { id, guest_token: token } = await world.post('a', 'one')
  for (const body of ['two', 'three'])
    await world.call('PATCH', `${SITE}/comments/${id}`, { token, body: { body } })
  const path = `/comments/${id}/revisions`
  const { body } = await world.get(path, { token: world.adminKey })
  t.same(
    body.items.map((item: Record<string, unknown>) => [item.revision, item.body]),
    [
      [2, 'two'],
      [1, 'one'],
    ],
  )
  t.equal((await world.get(path, { token })).status, 403)
  t.equal((await world.get('/comments/c1-zz/revisions', { token: world.adminKey })).status, 404)
})
