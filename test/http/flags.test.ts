import t from 'tap'
import { ABSENT } from '../ids.ts'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

const makeGuest = async (service: TestService): Promise<string> =>
  (await service.call('POST', `${SITE}/guests`, { body: { name: 'Grace' } })).body.guest_token

const flag = (service: TestService, id: string, token: string | undefined, body: object = {}) =>
  service.call('POST', `${SITE}/comments/${id}/flags`, { token, body: { reason: 'spam', ...body } })

const set = (service: TestService, body: object) =>
  service.call('PATCH', SITE, { token: service.adminKey, body })

const queue = async (service: TestService, query: string) =>
  (await service.get(`/moderation/comments?${query}`, { token: service.adminKey })).body

t.test('flagComment shows a flag to moderators and nothing to readers', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const before = await service.get('/articles/a/comments')
  const answer = await flag(service, id, await makeGuest(service), { note: 'everywhere' })
  t.match(answer, { status: 201, body: { reason: 'spam', flagged_at: /^20/ } })
  t.equal(answer.headers['thread-version'], undefined)
  t.same((await service.get('/articles/a/comments')).headers.etag, before.headers.etag)
  const { items } = await queue(service, 'flagged=true')
  t.match(items, [{ id, flag_count: 1, flags: [{ reason: 'spam', note: 'everywhere' }] }])
  t.equal(items[0].flags[0].resolved, false)
})

t.test('a reader has one flag per comment, however often and fast it is sent', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const token = await makeGuest(service)
  const answers = await Promise.all(Array.from({ length: 20 }, () => flag(service, id, token)))
  t.equal(answers.filter(({ status }) => status === 201).length, 1)
  t.equal(answers.filter(({ status }) => status === 200).length, 19)
  await flag(service, id, token, { reason: 'illegal' })
  const { items } = await queue(service, 'flagged=true')
  t.match(items, [{ flag_count: 1, flags: [{ reason: 'illegal' }] }])
  t.same(await recount(service.db), [])
})

t.test('a comment is held once, with a decision, at the site’s number of flags', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  await set(service, { flag_threshold: 3 })
  const { id } = await service.post('a', 'x')
  const tokens = await Promise.all(
    ['ada', 'grace', 'olga', 'rosa', 'mary'].map((sub) => signToken({ sub, name: sub })),
  )
  const answers = await Promise.all(tokens.map((token) => flag(service, id, token)))
  t.equal(answers.filter(({ status }) => status === 201).length, 3)
  t.equal(answers.filter(({ status }) => status === 404).length, 2, 'after that it is not there')
  t.equal((await service.get(`/comments/${id}`)).status, 404)
  const { items } = (await service.get('/moderation/decisions', { token: service.adminKey })).body
  t.equal(items.length, 1)
  t.match(items[0], { from: 'approved', to: 'pending', by: 'flags', note: '3 flags' })
  t.same(await recount(service.db), [])
})

t.test(
  'a decision resolves the flags, and one more flag does not hold the comment again',
  async (t) => {
    const service = await openService(t)
    await set(service, { flag_threshold: 2 })
    const { id } = await service.post('a', 'x')
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => makeGuest(service)))
    await flag(service, id, one)
    await flag(service, id, two)
    t.equal((await service.decide(id, 'pending', 'approved')).status, 201)
    t.equal((await flag(service, id, three)).status, 201)
    t.equal((await flag(service, id, one)).status, 200, 'who has flagged before counts no more')
    t.equal((await service.get(`/comments/${id}`)).status, 200)
    const { items } = await queue(service, 'flagged=true')
    t.match(items, [{ flag_count: 1, status: 'approved' }])
    t.equal(items[0].flags.filter((told: { resolved: boolean }) => told.resolved).length, 2)
    t.same(await recount(service.db), [])
  },
)

t.test('listQueue by flags shows the most flagged first, page by page', async (t) => {
  const service = await openService(t)
  await set(service, { moderation: 'post' })
  const ids: string[] = []
  for (const body of ['none', 'one', 'three', 'two']) ids.push((await service.post('a', body)).id)
  const tokens = await Promise.all([1, 2, 3].map(() => makeGuest(service)))
  const flags = [0, 1, 3, 2].flatMap((count, i) =>
    tokens.slice(0, count).map((token) => flag(service, ids[i]!, token)),
  )
  await Promise.all(flags)
  const seen: string[] = []
  let cursor = ''
  do {
    const page = await queue(service, `status=approved&sort=flags&limit=1${cursor}`)
    seen.push(page.items[0].body)
    cursor = page.next_cursor && `&cursor=${page.next_cursor}`
  } while (cursor)
  t.same(seen, ['three', 'two', 'one', 'none'])
  const unflagged = await queue(service, 'status=approved&flagged=false')
  t.same(
    unflagged.items.map(({ body }: { body: string }) => body),
    ['none'],
  )
})

t.test('at most three guests of one network flag a comment', async (t) => {
  const service = await openService(t, { limits: { read: 0, write: 1_000 } })
  const { id } = await service.post('a', 'x')
  const tokens = await Promise.all([1, 2, 3, 4].map(() => makeGuest(service)))
  const statuses: number[] = []
  for (const token of tokens) statuses.push((await flag(service, id, token)).status)
  t.same(statuses, [201, 201, 201, 403])
  t.equal((await flag(service, id, tokens[0])).status, 200, 'who has one may change it')
})

t.test('anonymous callers, keys and the author cannot flag a comment', async (t) => {
  const service = await openService(t)
  const { id, guest_token: own } = await service.post('a', 'x')
  t.match(await flag(service, id, undefined), { status: 401, body: { code: 'login_required' } })
  t.equal((await flag(service, id, service.adminKey)).status, 403)
  t.equal((await flag(service, id, own)).status, 403)
})

t.test('flags and decisions on the same comments never deadlock', async (t) => {
  const service = await openService(t)
  await set(service, { flag_threshold: 2 })
  const ids: string[] = []
  for (let n = 0; n < 6; n++) ids.push((await service.post('a', `x${n}`)).id)
  const tokens = await Promise.all(Array.from({ length: 4 }, () => makeGuest(service)))
  const answers = await Promise.all(
    ids.flatMap((id) => [
      ...tokens.map((token) => flag(service, id, token)),
      service.decide(id, 'approved', 'rejected'),
    ]),
  )
  t.ok(answers.every(({ status }) => [200, 201, 404, 409].includes(status)))
  t.same(await recount(service.db), [])
})

t.test('listRevisions shows moderators the earlier texts of a comment', async (t) => {
  const service = await openService(t)
  const { id, author, guest_token: token } = await service.post('a', 'one')
  for (const body of ['two', 'three'])
    await service.call('PATCH', `${SITE}/comments/${id}`, { token, body: { body } })
  const path = `/comments/${id}/revisions`
  const { body } = await service.get(path, { token: service.adminKey })
  t.same(
    body.items.map((item: Record<string, unknown>) => [item.revision, item.body, item.author_id]),
    [
      [2, 'two', author.id],
      [1, 'one', author.id],
    ],
  )
  t.equal((await service.get(path, { token })).status, 403)
  t.equal(
    (await service.get(`/comments/${ABSENT}/revisions`, { token: service.adminKey })).status,
    404,
  )
})
