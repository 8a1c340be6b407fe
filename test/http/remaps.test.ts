import fc from 'fast-check'
import t from 'tap'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const asAdmin = ({ call, adminKey: token }: TestService) => {
  const send = (method: string, path: string, body?: object) =>
    call(method, `${SITE}${path}`, { token, ...(body && { body }) })
  const remap = (body: Json) => send('POST', '/articles/remaps', { rules: [], ...body })
  return {
    send,
    remap,
    dryRun: async (body: Json) => (await remap({ ...body, dry_run: true })).body,
    remapped: async (body: Json): Promise<Json> => {
      const { body: batch } = await remap(body)
      let now: Json = batch
      await until('the batch of the remap has ended', async () => {
        now = (await send('GET', `/moderation/batches/${batch.id}`)).body
        return now.ended_at !== null
      })
      return now
    },
    alias: (article: string, id: string) =>
      send('POST', `/articles/${encodeURIComponent(article)}/aliases`, { article_id: id }),
    merge: (article: string, into: string) =>
      send('POST', `/articles/${encodeURIComponent(article)}/merges`, { into }),
    undo: (id: string) => send('POST', `/moderation/decisions/${id}/undos`),
  }
}

const read = async ({ get }: TestService, article: string) => {
  const path = `/articles/${encodeURIComponent(article)}`
  const thread = (await get(path)).body
  const { items } = (await get(`${path}/comments?sort=oldest&view=flat&limit=100`)).body
  return { own: thread.article_id, bodies: items.map((comment: Json) => comment.body) }
}

const rule = (from: string, to: string) => ({ from_prefix: from, to_prefix: to })

t.test('a remap gives each thread its new id, and the former id becomes an alias', async (t) => {
  const service = await openService(t)
  const { post, get, adminKey: token } = service
  const { dryRun, remapped } = asAdmin(service)
  const first = await post('https://old.example/1', 'one')
  await post('https://old.example/2', 'two')
  await post('other', 'three')
  for (const id of ['https://old.example/1', 'other']) await read(service, id)
  const body = { rules: [rule('https://old.example/', 'https://new.example/posts/')] }
  t.match(await dryRun(body), {
    threads: 3,
    is_complete: true,
    renamed: 2,
    merged: 0,
    aliases: 0,
    items: [
      { article_id: 'https://old.example/1', to: 'https://new.example/posts/1', effect: 'renamed' },
      { article_id: 'https://old.example/2', to: 'https://new.example/posts/2', effect: 'renamed' },
    ],
  })
  t.equal((await read(service, 'https://new.example/posts/1')).bodies.length, 0)
  t.match(await remapped(body), {
    kind: 'remap',
    total: 3,
    done: 3,
    changed: 2,
    outcomes: { changed: 2, unchanged: 1 },
  })
  for (const id of ['https://old.example/1', 'https://new.example/posts/1'])
    t.same(await read(service, id), { own: 'https://new.example/posts/1', bodies: ['one'] })
  t.same(await read(service, 'other'), { own: 'other', bodies: ['three'] })
  t.match((await get(`/comments/${first.id}`)).body, { article_id: 'https://new.example/posts/1' })
  t.equal((await post('https://old.example/1', 'later')).article_id, 'https://new.example/posts/1')
  const audit = (await get('/audit', { token })).body.items[0]
  t.match(audit, { action: 'articles_remapped', subject: 'default', after: body })
  t.match(await remapped(body), { changed: 0 }, 'a second run finds nothing to do')
  t.same(await recount(service.db), [])
})

t.test('two threads that get one id become one, and the comments keep their ids', async (t) => {
  const service = await openService(t)
  const { post, get } = service
  const { dryRun, remapped } = asAdmin(service)
  const spellings = [
    'http://www.example.com/a/',
    'https://example.com/a?utm_source=x',
    'https://example.com/a',
  ]
  const comments: Json[] = []
  for (const id of spellings) comments.push(await post(id, `on ${id}`))
  t.match(await dryRun({ canonical: true }), { renamed: 0, merged: 2, aliases: 0 })
  t.match(await remapped({ canonical: true }), { changed: 2 })
  for (const id of spellings)
    t.same(await read(service, id), {
      own: 'https://example.com/a',
      bodies: spellings.map((one) => `on ${one}`),
    })
  for (const { id } of comments)
    t.match((await get(`/comments/${id}`)).body, { id, article_id: 'https://example.com/a' })
  t.same(await recount(service.db), [])
})

t.test('a thread keeps what it has when a thread without comments has its new id', async (t) => {
  const service = await openService(t)
  const { post, get } = service
  const { send, dryRun, remapped } = asAdmin(service)
  await post('old', 'hello')
  await send('PATCH', '/articles/new', { title: 'New', slow_mode_seconds: 30 })
  await send('PATCH', '/articles/old-empty', { title: 'Old' })
  const body = { rules: [rule('old-empty', 'new'), rule('old', 'new')] }
  const { items } = await dryRun(body)
  t.same(items, [
    { article_id: 'old', to: 'new', effect: 'renamed' },
    { article_id: 'old-empty', to: 'new', effect: 'alias' },
  ])
  t.match(await remapped(body), { changed: 2 })
  t.match((await get('/articles/old')).body, { article_id: 'new', title: 'New' })
  for (const id of ['old', 'new', 'old-empty'])
    t.same(await read(service, id), { own: 'new', bodies: ['hello'] }, id)
})

t.test('a thread that another one replaced gets no id of its own', async (t) => {
  const service = await openService(t)
  const { dryRun, remapped, send } = asAdmin(service)
  await service.post('a', 'hello')
  await send('PATCH', '/articles/ab', { title: 'Empty' })
  const body = { rules: [rule('a', 'ab')] }
  t.same((await dryRun(body)).items, [{ article_id: 'a', to: 'ab', effect: 'renamed' }])
  t.match(await remapped(body), { changed: 1 })
  for (const id of ['a', 'ab']) t.same(await read(service, id), { own: 'ab', bodies: ['hello'] })
})

t.test('a thread moves back to an id that is its alias', async (t) => {
  const service = await openService(t)
  const { remapped } = asAdmin(service)
  await service.post('a1', 'hello')
  await remapped({ rules: [rule('a', 'b')] })
  await remapped({ rules: [rule('b', 'a')] })
  for (const id of ['a1', 'b1']) t.same(await read(service, id), { own: 'a1', bodies: ['hello'] })
})

t.test(
  'a merge that a remap made can be undone, and the ids go back with the comments',
  async (t) => {
    const service = await openService(t)
    const { post, get, adminKey: token } = service
    const { remapped, undo } = asAdmin(service)
    await post('old', 'of old')
    await post('new', 'of new')
    await remapped({ rules: [rule('old', 'new')] })
    t.equal((await read(service, 'old')).bodies.length, 2)
    const { items } = (await get('/moderation/decisions?action=move', { token })).body
    const merge = items.find((decision: Json) => decision.comment_id === null)
    t.match(await undo(merge.id), { status: 201 })
    t.same((await read(service, 'old')).bodies, ['of old'])
    t.same((await read(service, 'new')).bodies, ['of new'])
    t.same(await recount(service.db), [])
  },
)

t.test('a thread that a remap may not merge keeps its id', async (t) => {
  const service = await openService(t)
  const { post } = service
  const { send, remapped } = asAdmin(service)
  await post('old', 'hidden')
  await post('new', 'shown')
  await send('PATCH', '/articles/old', { state: 'hidden' })
  t.match(await remapped({ rules: [rule('old', 'new')] }), { outcomes: { move_not_allowed: 1 } })
  t.same((await read(service, 'new')).bodies, ['shown'])
})

t.test('a remap needs a rule or the canonical form, and cannot be undone as a batch', async (t) => {
  const service = await openService(t)
  const { send, remap, remapped } = asAdmin(service)
  t.match(await remap({}), { status: 400, body: { code: 'invalid_request' } })
  const { id } = await remapped({ canonical: true })
  t.match(await send('POST', `/moderation/batches/${id}/undos`), {
    status: 409,
    body: { code: 'move_not_allowed' },
  })
})

t.test('people post while a remap runs, and every comment is found by both ids', async (t) => {
  const service = await openService(t)
  const { post } = service
  const { remapped } = asAdmin(service)
  for (let i = 0; i < 8; i += 1) await post(`a${i}`, `first on ${i}`)
  const posts = Array.from({ length: 24 }, (_, i) => post(`a${i % 8}`, `text ${i}`))
  await Promise.all([remapped({ rules: [rule('a', 'b')] }), ...posts])
  for (let i = 0; i < 8; i += 1)
    for (const id of [`a${i}`, `b${i}`]) {
      const found = await read(service, id)
      t.equal(found.own, `b${i}`)
      t.equal(found.bodies.length, 4, id)
    }
  t.same(await recount(service.db), [])
})

const IDS = ['a', 'b', 'c', 'aa', 'ab', 'ba'] as const
const act = fc.record({
  kind: fc.constantFrom('post', 'alias', 'merge', 'undo', 'remap', 'remap'),
  id: fc.constantFrom(...IDS),
  other: fc.constantFrom(...IDS),
})

t.test(
  'after any remaps, merges, aliases and undos every comment has one article, and some id finds it',
  async (t) => {
    const service = await openService(t)
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 12 }), async (acts) => {
        round += 1
        const named = (id: string) => `${round}:${id}`
        const { alias, merge, undo, dryRun, remapped } = asAdmin(service)
        const merges: string[] = []
        const written: string[] = []
        const ids = new Set(IDS.map(named))
        for (const { kind, id, other } of acts) {
          if (kind === 'post') {
            const body = `text ${written.length} of ${named(id)}`
            await service.post(named(id), body)
            written.push(body)
          }
          if (kind === 'alias') await alias(named(id), named(other))
          if (kind === 'merge') {
            const merged = await merge(named(id), named(other))
            if (merged.status === 201) {
              const { before, after } = merged.body
              t.match(await alias(after.article_id, before.article_id), { status: 201 })
              merges.push(merged.body.id)
            }
          }
          if (kind === 'undo' && merges.length > 0) {
            const undone = await undo(merges.at(-1)!)
            if (undone.status === 201) merges.pop()
          }
          if (kind === 'remap') {
            const body = { rules: [rule(named(id), named(other))] }
            const { renamed, merged, aliases, items } = await dryRun(body)
            t.equal((await remapped(body)).changed, renamed + merged + aliases)
            for (const { article_id: former, to } of items) {
              ids.add(former).add(to)
              t.same((await read(service, former)).bodies, (await read(service, to)).bodies)
            }
          }
        }
        const threads = new Map<string, string[]>()
        for (const id of ids) {
          const found = await read(service, id)
          threads.set(found.own, found.bodies)
        }
        t.same([...threads.values()].flat().toSorted(), written.toSorted())
        t.same(await recount(service.db), [])
      }),
      { numRuns: runs(6, 60) },
    )
  },
)
