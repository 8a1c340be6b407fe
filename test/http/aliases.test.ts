import fc from 'fast-check'
import t from 'tap'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const asAdmin = ({ call, adminKey: token }: Pick<TestService, 'call' | 'adminKey'>) => {
  const send = (method: string, path: string, body?: object) =>
    call(method, `${SITE}${path}`, { token, ...(body && { body }) })
  return {
    send,
    alias: (article: string, id: string) =>
      send('POST', `/articles/${encodeURIComponent(article)}/aliases`, { article_id: id }),
    unalias: (article: string, id: string) =>
      send('DELETE', `/articles/${article}/aliases/${encodeURIComponent(id)}`),
    merge: (article: string, into: string) => send('POST', `/articles/${article}/merges`, { into }),
    undo: ({ body }: { body: Json }) => send('POST', `/moderation/decisions/${body.id}/undos`),
  }
}

const bodiesOf = async (
  { get }: { get: (path: string) => Promise<{ body: any }> },
  article: string,
): Promise<string[]> => {
  const path = `/articles/${encodeURIComponent(article)}/comments?sort=oldest&view=flat&limit=100`
  return (await get(path)).body.items.map((comment: Json) => comment.body)
}

t.test('an alias reads the thread of its article, whatever the operation', async (t) => {
  const service = await openService(t)
  const { get, post } = service
  const { send, alias } = asAdmin(service)
  const root = await post('a', 'root')
  await post('a', 'reply', { parent_id: root.id })
  t.match(await get('/articles/old/comments'), { status: 200, body: { items: [] } })
  t.match(await alias('a', 'old'), { status: 201, body: { article_id: 'old', alias_of: 'a' } })
  t.match(await alias('a', 'old'), { status: 200, body: { article_id: 'old', alias_of: 'a' } })
  for (const _ of ['loaded', 'cached']) {
    t.match(await get('/articles/old'), { body: { article_id: 'a', comment_count: 2 } })
    const tree = await get('/articles/old/comments')
    t.match(tree.body, { thread: { article_id: 'a' }, items: [{ id: root.id, article_id: 'a' }] })
    t.same(tree.body.items, (await get('/articles/a/comments')).body.items)
  }
  t.match((await get('/counts?article_id=old&article_id=a&article_id=b')).body, {
    old: { comment_count: 2 },
    a: { comment_count: 2 },
    b: { comment_count: 0 },
  })
  t.match((await get('/comments?article_id=old')).body.items, [{ article_id: 'a' }, {}])
  const { token } = { token: service.adminKey }
  t.match((await get('/articles/old/viewer', { token })).status, 200)
  const queue = await get('/moderation/comments?status=approved&article_id=old', { token })
  t.equal(queue.body.items.length, 2)
  const html = await get(`/articles/old/comments.html?parent=${root.id}`)
  t.equal(html.status, 200)
  t.match(await get(`/articles/b/comments.html?parent=${root.id}`), { status: 404 })
  t.match(await send('PATCH', '/articles/old', { title: 'A' }), { body: { article_id: 'a' } })
  t.match((await get('/articles/a')).body, { title: 'A' })
  const audit = await get('/audit', { token })
  t.match(audit.body.items[0], {
    action: 'alias_created',
    subject: 'old',
    after: { article_id: 'a' },
  })
})

t.test('a page by an alias continues by the same alias, and by no other id', async (t) => {
  const service = await openService(t)
  const { get, post } = service
  for (const text of ['one', 'two', 'three']) await post('a', text)
  await asAdmin(service).alias('a', 'old')
  for (const id of ['a', 'old', 'a', 'old']) {
    const first = await get(`/articles/${id}/comments?sort=oldest&limit=2`)
    const cursor = encodeURIComponent(first.body.next_cursor)
    const next = await get(`/articles/${id}/comments?sort=oldest&limit=2&cursor=${cursor}`)
    t.match(next.body.items, [{ body: 'three' }])
  }
})

t.test('a post by an alias goes to the thread of its article', async (t) => {
  const service = await openService(t)
  const { get, post, call } = service
  const { send, alias } = asAdmin(service)
  await alias('a', 'old')
  const root = await post('old', 'root')
  t.equal(root.article_id, 'a')
  const reply = await post('old', 'reply', { parent_id: root.id })
  t.match(reply, { article_id: 'a', parent_id: root.id, depth: 1 })
  const key = 'k'.repeat(20)
  const retry = { headers: { 'idempotency-key': key } }
  const once = await post('old', 'once', {}, retry)
  t.equal((await post('old', 'once', {}, retry)).id, once.id)
  t.equal((await get('/articles/a')).body.comment_count, 3)
  await send('PATCH', '/articles/old', { slow_mode_seconds: 60 })
  const slow = await call('POST', `${SITE}/articles/old/comments`, {
    body: { body: 'too soon', author: { name: 'Ada' } },
  })
  t.match(slow, { status: 429, body: { code: 'slow_mode' } })
  t.same(await recount(service.db), [])
})

t.test('posts by both ids that arrive together are in one thread', async (t) => {
  const service = await openService(t)
  const { post, get } = service
  const { alias } = asAdmin(service)
  const texts = Array.from({ length: 12 }, (_, i) => `text number ${i}`)
  const [made] = await Promise.all([
    alias('a', 'old'),
    ...texts.slice(0, 6).map((text) => post('a', text)),
  ])
  t.equal(made.status, 201)
  const posted = await Promise.all(
    texts.slice(6).map((text, i) => post(i % 2 === 0 ? 'a' : 'old', text)),
  )
  t.ok(posted.every(({ article_id: id }) => id === 'a'))
  t.equal((await get('/articles/old')).body.comment_count, 12)
  t.same(await recount(service.db), [])
})

t.test('an id becomes an alias or a thread with a comment, never both', async (t) => {
  const service = await openService(t)
  const { post } = service
  const { alias } = asAdmin(service)
  for (let i = 0; i < 12; i += 1) {
    const [made, posted] = await Promise.all([alias(`a${i}`, `o${i}`), post(`o${i}`, `text ${i}`)])
    t.match([201, 409], [201, 409])
    const own = made.status === 201 ? `a${i}` : `o${i}`
    t.equal(posted.article_id, own, `${made.status}`)
    t.same(await bodiesOf(service, `o${i}`), [`text ${i}`])
  }
  t.same(await recount(service.db), [])
})

t.test('an id whose thread has comments is no alias until they are merged', async (t) => {
  const service = await openService(t)
  const { get, post } = service
  const { alias, merge } = asAdmin(service)
  await post('a', 'here')
  const there = await post('old', 'there')
  t.match(await alias('a', 'old'), { status: 409, body: { code: 'article_has_comments' } })
  t.match(await merge('old', 'a'), { status: 201 })
  t.match(await alias('a', 'old'), { status: 201 })
  t.same(await bodiesOf(service, 'old'), ['here', 'there'])
  t.match(await get(`/comments/${there.id}`), { status: 200, body: { article_id: 'a' } })
  t.match(await alias('b', 'old'), { status: 409, body: { code: 'alias_taken' } })
  t.match(await alias('a', 'a'), { status: 400, body: { code: 'invalid_request' } })
  t.match(await alias('old', 'a'), { status: 400, body: { code: 'invalid_request' } })
  t.match(await merge('old', 'a'), { status: 400, body: { code: 'invalid_request' } })
})

t.test('an alias of a thread that becomes an alias names the last thread', async (t) => {
  const service = await openService(t)
  const { get, adminKey: token } = service
  const { alias } = asAdmin(service)
  await alias('b', 'a')
  await alias('c', 'b')
  t.match(await alias('a', 'd'), { status: 201, body: { alias_of: 'c' } })
  await service.post('a', 'hello')
  for (const id of ['a', 'b', 'c', 'd']) t.same(await bodiesOf(service, id), ['hello'], id)
  const { items } = (await get('/articles/c/aliases', { token })).body
  t.same(items.map((item: Json) => item.article_id).toSorted(), ['a', 'b', 'd'])
  const first = await get('/articles/c/aliases?limit=2', { token })
  const cursor = encodeURIComponent(first.body.next_cursor)
  const rest = await get(`/articles/c/aliases?limit=2&cursor=${cursor}`, { token })
  t.same([...first.body.items, ...rest.body.items], items)
})

t.test('a deleted alias is an article without comments', async (t) => {
  const service = await openService(t)
  const { get, post } = service
  const { alias, unalias } = asAdmin(service)
  await post('a', 'hello')
  await alias('b', 'x')
  await alias('a', 'b')
  t.same(await bodiesOf(service, 'b'), ['hello'])
  t.same(await bodiesOf(service, 'b'), ['hello'], 'cached')
  t.match(await unalias('c', 'b'), { status: 404 })
  t.match(await unalias('a', 'b'), { status: 204 })
  t.same(await bodiesOf(service, 'b'), [])
  t.same(await bodiesOf(service, 'x'), ['hello'], 'its alias stays with the comments')
  t.match(await unalias('a', 'b'), { status: 404 })
  t.match(await unalias('a', 'x'), { status: 204 })
  t.match((await get('/articles/x')).body, { article_id: 'x', comment_count: 0 })
  t.equal((await post('x', 'anew')).article_id, 'x')
})

t.test('another node drops an alias with its deletion', async (t) => {
  const service = await openService(t)
  const app = await openTwin(t, service)
  const twin = {
    get: async (path: string) => ({
      body: (await app.inject({ url: `${SITE}${path}` })).json(),
    }),
  }
  const { alias, unalias } = asAdmin(service)
  await service.post('a', 'hello')
  await alias('a', 'old')
  for (let i = 0; i < 3; i += 1) t.same(await bodiesOf(twin, 'old'), ['hello'])
  await unalias('a', 'old')
  await bodiesOf(twin, 'a')
  t.same(await bodiesOf(twin, 'old'), [])
})

t.test('lists of threads contain no aliases', async (t) => {
  const service = await openService(t)
  const { get, post, adminKey: token } = service
  const { alias, merge } = asAdmin(service)
  await post('a', 'here')
  await post('old', 'there')
  await merge('old', 'a')
  await alias('a', 'old')
  await alias('a', 'older')
  const threads = await get('/moderation/threads', { token })
  t.match(threads.body.items, [{ article_id: 'a' }])
  t.equal(threads.body.items.length, 1)
  t.equal((await get('/articles')).body.items.length, 1)
})

t.test('the aliases of a deleted thread are free', async (t) => {
  const service = await openService(t)
  const { post } = service
  const { send, alias } = asAdmin(service)
  await post('a', 'hello')
  await alias('a', 'old')
  const body = { dry_run: false, expected_count: 1 }
  t.match(await send('POST', '/articles/old/deletions', body), { status: 202 })
  t.same(await bodiesOf(service, 'old'), [])
  t.equal((await post('old', 'anew')).article_id, 'old')
})

t.test('an undone merge has its ids again, however often its threads became aliases', async (t) => {
  const service = await openService(t)
  const { post } = service
  const { alias, merge, undo } = asAdmin(service)
  for (const id of ['a', 'b', 'c']) await post(id, `of ${id}`)
  const first = await merge('a', 'b')
  await alias('b', 'a')
  const second = await merge('b', 'c')
  await alias('c', 'b')
  for (const id of ['a', 'b', 'c'])
    t.same(await bodiesOf(service, id), ['of a', 'of b', 'of c'], id)
  t.match(await undo(second), { status: 201 })
  t.same(await bodiesOf(service, 'a'), ['of a', 'of b'])
  t.same(await bodiesOf(service, 'b'), ['of a', 'of b'])
  t.same(await bodiesOf(service, 'c'), ['of c'])
  t.match(await undo(first), { status: 201 })
  for (const id of ['a', 'b', 'c']) t.same(await bodiesOf(service, id), [`of ${id}`])
  t.same(await recount(service.db), [])
})

const IDS = ['a', 'b', 'c', 'd', 'e'] as const
const act = fc.record({
  kind: fc.constantFrom('post', 'alias', 'merge', 'undo'),
  id: fc.constantFrom(...IDS),
  other: fc.constantFrom(...IDS),
})

t.test(
  'after any aliases, merges and undos every comment has one article that finds it',
  async (t) => {
    const service = await openService(t)
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 14 }), async (acts) => {
        round += 1
        const named = (id: string) => `${id}${round}`
        const { alias, merge, undo } = asAdmin(service)
        const merges: { body: Json }[] = []
        const written: string[] = []
        for (const { kind, id, other } of acts) {
          if (kind === 'post') {
            const text = `text ${written.length} of ${named(id)}`
            const { article_id: own } = await service.post(named(id), text)
            if (own !== undefined) written.push(text)
          }
          if (kind === 'alias') await alias(named(id), named(other))
          if (kind === 'merge') {
            const merged = await merge(named(id), named(other))
            if (merged.status === 201) {
              merges.push(merged)
              const { before, after } = merged.body
              const made = await alias(after.article_id, before.article_id)
              t.match(made.status, 201)
            }
          }
          if (kind === 'undo' && merges.length > 0) {
            const undone = await undo(merges.at(-1)!)
            if (undone.status === 201) merges.pop()
          }
        }
        const threads = new Map<string, string[]>()
        for (const id of IDS) {
          const { body } = await service.get(`/articles/${named(id)}`)
          threads.set(body.article_id, await bodiesOf(service, named(id)))
        }
        const found = [...threads.values()].flat()
        t.same(found.toSorted(), written.toSorted())
        t.same(await recount(service.db), [])
      }),
      { numRuns: runs(8, 80) },
    )
  },
)
