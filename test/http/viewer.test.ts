import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { openService } from '../service.ts'

const SITE = '/v1/sites/default'

t.test(
  'getViewer returns the caller’s author, votes and held comments, and no cache keeps them',
  async (t) => {
    const service = await openService(t)
    const { id } = await service.post('a', 'x')
    const mine = await service.post('a', 'mine')
    const token = mine.guest_token
    await service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value: -1 } })
    await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
    const held = await service.post('a', 'held', {}, { token })
    const spam = await service.post('a', 'spam', {}, { token })
    await service.decide(spam.id, 'pending', 'spam')
    const { body, headers } = await service.get('/articles/a/viewer', { token })
    t.equal(headers['cache-control'], 'private, no-store')
    t.match(body, { author: mine.author, may_post: true, reason: null, votes: { [id]: -1 } })
    t.same(
      body.pending.map((comment: Record<string, unknown>) => [comment.id, comment.status]),
      [
        [spam.id, 'pending'],
        [held.id, 'pending'],
      ],
      'whether it is spam is not for its author to know',
    )
  },
)

t.test('getViewer returns nothing for anonymous callers and keys', async (t) => {
  const service = await openService(t)
  await service.post('a', 'x')
  for (const token of [undefined, service.adminKey]) {
    const { body } = await service.get('/articles/a/viewer', { token })
    t.same(body, {
      author: null,
      may_post: true,
      reason: null,
      may_post_at: null,
      votes: {},
      pending: [],
    })
  }
})

t.test('getViewer returns the error that posting would give', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { guest_token: guest } = await service.post('a', 'x')
  const member = await signToken()
  const set = (path: string, body: object) =>
    service.call('PATCH', `${SITE}${path}`, { token: service.adminKey, body })
  let texts = 0
  const asked = async (token: string, article = 'a') => {
    const { body } = await service.get(`/articles/${article}/viewer`, { token })
    const post = await service.call('POST', `${SITE}/articles/${article}/comments`, {
      token,
      body: { body: `y ${texts++}` },
    })
    t.equal(body.reason, post.body.code ?? null, 'as posting says')
    t.equal(body.may_post, post.status === 201)
    return body.reason
  }
  t.equal(await asked(guest, 'new'), null)
  await set('', { who_may_post: 'members' })
  t.equal(await asked(guest), 'login_required')
  t.equal(await asked(member), null)
  await set('/articles/a', { state: 'closed' })
  t.equal(await asked(member), 'thread_closed')
  await set('/articles/a', { state: 'locked' })
  t.equal(await asked(member), 'thread_locked')
  await set('', { who_may_post: 'nobody' })
  t.equal(await asked(member), 'posting_disabled')
})

t.test('getViewer shows a hidden thread as absent', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const { guest_token: token } = await service.post('b', 'y')
  await service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value: 1 } })
  const hide = { token: service.adminKey, body: { state: 'hidden' } }
  await service.call('PATCH', `${SITE}/articles/a`, hide)
  const { body } = await service.get('/articles/a/viewer', { token })
  const absent = await service.get('/articles/nothing/viewer', { token })
  t.same(body, absent.body)
})
