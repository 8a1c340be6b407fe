import t from 'tap'
import { createSiteCache } from '../../src/cache/sites.ts'
import { ABSENT } from '../ids.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

/** Ways in which something got out, or two things became one, before they were closed. */

const SITE = '/v1/sites/default'

t.test('a guest with a held reply in a hidden thread sees nothing of the thread', async (t) => {
  const { call, get, post, adminKey } = await openService(t)
  const moderate = (body: object) => call('PATCH', `${SITE}/articles/a`, { token: adminKey, body })
  const parent = await post('a', 'a secret')
  await moderate({ moderation: 'pre' })
  const reply = await post('a', 'held', { parent_id: parent.id })
  const own = { token: reply.guest_token }
  const before = await get(`/comments/${reply.id}?context=5`, own)
  t.equal(before.body.ancestors[0].body, 'a secret')
  await moderate({ state: 'hidden' })
  const after = await get(`/comments/${reply.id}?context=5`, own)
  t.equal(after.body.body, 'held')
  t.same(after.body.ancestors, [])
})

t.test('an Idempotency-Key has one effect, however its path is written', async (t) => {
  const { call, get } = await openService(t)
  const headers = { 'idempotency-key': 'one-key-for-both-ways' }
  const body = { body: 'once', author: { name: 'Ada' } }
  const send = (article: string) =>
    call('POST', `${SITE}/articles/${article}/comments`, { headers, body })
  const first = await send('a-b')
  const second = await send('a%2Db')
  t.equal(second.text, first.text)
  t.equal((await get('/articles/a-b')).body.comment_count, 1)
})

t.test('Link repeats a query that has question marks in it', async (t) => {
  const { call, get, post } = await openService(t)
  await post('/p?id=7', 'one')
  await post('/p?id=7', 'two')
  const { headers } = await get('/comments?article_id=/p?id=7&limit=1')
  const next = /^<(.+)>; rel="next"$/.exec(headers.link)![1]!
  const { status, body } = await call('GET', next)
  t.equal(status, 200)
  t.same(
    body.items.map((comment: { body: string }) => comment.body),
    ['one'],
  )
})

t.test('an old cursor does not show an author without visible comments', async (t) => {
  const { call, get, post, adminKey } = await openService(t)
  const { author, guest_token: token } = await post('a', 'one')
  await post('a', 'two', {}, { token })
  const path = `/authors/${author.id}/comments?limit=1`
  const { body } = await get(path)
  await call('PATCH', `${SITE}/articles/a`, { token: adminKey, body: { state: 'hidden' } })
  t.equal((await get(path)).status, 404)
  t.equal((await get(`${path}&cursor=${body.next_cursor}`)).status, 404)
})

t.test('readers of a site get responses while its settings change', async (t) => {
  const { get, call, adminKey } = await openService(t)
  const change = (name: string) => call('PATCH', SITE, { token: adminKey, body: { name } })
  const names = Array.from({ length: 20 }, (_, n) => `Name ${n}`)
  const changing = (async () => {
    for (const name of names) await change(name)
  })()
  const statuses = new Set<number>()
  for (let n = 0; n < 100; n++) {
    const answers = await Promise.all([get('/config'), get('/config')])
    for (const { status } of answers) statuses.add(status)
  }
  await changing
  t.same(statuses, new Set([200]))
})

t.test(
  'a reader who waits for a site while it is dropped from the cache gets the site',
  async (t) => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const cache = createSiteCache(() => promise)
    const waiting = cache.find('slow')
    cache.forget('slow')
    resolve(undefined)
    t.equal(await waiting, undefined)
  },
)

t.test('listDecisions finds decisions by the whole comment id only', async (t) => {
  const { get, post, decide, adminKey } = await openService(t)
  const { id } = await post('a', 'text')
  await decide(id, 'approved', 'spam')
  const list = async (comment: string) =>
    (await get(`/moderation/decisions?comment_id=${comment}`, { token: adminKey })).body.items
      .length
  t.equal(await list(id), 1)
  t.equal(await list(id.replace(/^c[^-]+/, 'c9')), 0, 'not by half of it')
  t.equal(await list('nothing'), 0)
})

/** Requests of a stranger about a hidden comment. Each must respond as if the comment did not exist. */
const ASKED: readonly (readonly [method: string, path: string, body?: object])[] = [
  ['GET', ''],
  ['GET', '?context=5'],
  ['GET', '/replies'],
  ['GET', '/revisions'],
  ['PATCH', '', { body: 'y' }],
  ['DELETE', ''],
  ['PUT', '/vote', { value: 1 }],
  ['POST', '/flags', { reason: 'spam' }],
  ['POST', '/decisions', { from: 'approved', to: 'spam' }],
]

/** One comment in every state in which readers do not see it, by what it is. */
const plantHidden = async (service: TestService): Promise<Record<string, string>> => {
  const patch = (path: string, body: object) =>
    service.call('PATCH', `${SITE}${path}`, { token: service.adminKey, body })
  const hidden: Record<string, string> = {}
  for (const status of ['pending', 'spam', 'rejected', 'deleted']) {
    hidden[status] = (await service.post('a', 'x')).id
    await service.decide(hidden[status]!, 'approved', status)
  }
  const erased = await service.post('a', 'x')
  hidden.erased = erased.id
  const path = `${SITE}/authors/${erased.author.id}`
  await service.call('DELETE', path, { token: erased.guest_token })
  hidden['in a hidden thread'] = (await service.post('b', 'x')).id
  await patch('/articles/b', { state: 'hidden' })
  await patch('', { moderation: 'pre' })
  hidden['never published'] = (await service.post('a', 'x')).id
  hidden['never published, and rejected'] = (await service.post('a', 'x')).id
  await service.decide(hidden['never published, and rejected']!, 'pending', 'rejected')
  await patch('', { moderation: 'post' })
  return hidden
}

t.test('every operation on a hidden comment responds as for an absent one', async (t) => {
  const service = await openService(t, { limits: { read: 100_000, write: 100_000 } })
  await openSignOn(service)
  const hidden = await plantHidden(service)
  const strangers = {
    nobody: undefined,
    guest: (await service.call('POST', `${SITE}/guests`, { body: { name: 'G' } })).body.guest_token,
    member: await signToken(),
    'read key': await service.makeKey('read'),
  }
  for (const [who, token] of Object.entries(strangers)) {
    const answerOf = async (method: string, path: string, body?: object) => {
      const { status, text, headers } = await service.call(method, path, { token, body })
      const { date: _, ratelimit: __, ...rest } = headers
      return { status, text, headers: rest }
    }
    for (const [method, path, body] of ASKED) {
      const ask = (id: string) => answerOf(method, `${SITE}/comments/${id}${path}`, body)
      const absent = await ask(ABSENT)
      for (const [what, id] of Object.entries(hidden))
        t.same(await ask(id), absent, `${method} ${path} of one that is ${what}, ${who}`)
    }
    const reply = (id: string) =>
      answerOf('POST', `${SITE}/articles/a/comments`, {
        body: 'x',
        parent_id: id,
        ...(!token && { author: { name: 'Ada' } }),
      })
    for (const [what, id] of Object.entries(hidden))
      t.same(await reply(id), await reply(ABSENT), `a reply to one that is ${what}, ${who}`)
  }
})
