import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import {
  articleColumnsOf,
  keyOf,
  keysOf,
  longIdOf,
} from '../../src/postgres/threads/article-ids.ts'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const MAX = 2_048

/** Characters of four bytes that no compression makes shorter: 8,192 bytes. */
const longId = (start: string): string =>
  start +
  Array.from(randomBytes(MAX - start.length), (byte) => String.fromCodePoint(0x1f300 + byte)).join(
    '',
  )

const pathOf = (article: string): string => `/articles/${encodeURIComponent(article)}`

/** Fails on a response that contains the hash of an id instead of the id. */
const open = async (t: Test): Promise<TestService & { send: Send }> => {
  const service = await openService(t)
  service.app.addHook('onSend', async (request, reply, payload) => {
    const { operation } = request.routeOptions.config
    const said = `${String(payload)}${JSON.stringify(reply.getHeaders())}`
    if (/\u007f|%7F/i.test(said)) throw new Error(`${operation} returns the hash of an id`)
    if (JSON.stringify(reply.getHeaders()).length > 8_000)
      throw new Error(`${operation} returns too many headers`)
  })
  const send: Send = async (method, path, body, token = service.adminKey) =>
    service.call(method, `${SITE}${path}`, { token, ...(body && { body }) })
  return { ...service, send }
}

type Send = (
  method: string,
  path: string,
  body?: object,
  token?: string,
) => ReturnType<TestService['call']>

t.test('an article id has at most 2,048 characters, whatever their size', async (t) => {
  const { get, call, post } = await open(t)
  const longest = longId('https://a.example/')
  const comment = await post(longest, 'Hello')
  t.equal(comment.article_id, longest)
  const tooLong = `${SITE}${pathOf(`${longest}x`)}`
  for (const path of ['', '/comments', '/viewer'])
    t.match(await call('GET', `${tooLong}${path}`), {
      status: 400,
      body: { code: 'invalid_request' },
    })
  for (const [id, count] of [
    [longest, 1],
    [`${longest}x`, 0],
  ] as const) {
    const { body } = await get(`/counts?article_id=a&article_id=${encodeURIComponent(id)}`)
    t.match([body.a.comment_count, body[id].comment_count], [0, count])
  }
  const ids = [longest, `${longest}x`, 'a']
  const many = await call('POST', `${SITE}/counts`, { body: { article_ids: ids } })
  t.same(
    ids.map((id) => many.body[id].comment_count),
    [1, 0, 0],
  )
})

t.test('a long id goes through reading, posting and moderating', async (t) => {
  const { get, post, call, send } = await open(t)
  const a = longId('a')
  const [one, two] = await Promise.all([post(a, 'one'), post(a, 'two')])
  await post(a, 'a reply', { parent_id: one!.id })
  await post(longId('b'), 'elsewhere')
  const path = pathOf(a)
  t.match(await get(path), { body: { article_id: a, comment_count: 3 } })
  for (const view of ['', '&view=flat', '&sort=best', '&include=config,staff']) {
    const { body } = await get(`${path}/comments?limit=100${view}`)
    t.equal(body.thread.article_id, a)
    t.ok(body.items.every((item: Json) => item.article_id === a))
  }
  const first = await get(`${path}/comments?limit=1`)
  t.match(first.headers.link, /^<\?limit=1&cursor=[\w-]+>; rel="next"$/)
  const next = new URL(first.headers.link.slice(1, -13), `http://x${SITE}${path}/comments`)
  t.match(await call('GET', next.pathname + next.search), {
    status: 200,
    body: { items: [{ id: /^c/ }] },
  })
  t.match(await get(`/comments/${two!.id}`), { body: { article_id: a } })
  t.match(await get(`/comments/${one!.id}/replies`), { body: { items: [{ article_id: a }] } })
  for (const sort of ['', '&sort=visible']) {
    const { body } = await get(`/comments?article_id=${encodeURIComponent(a)}&limit=1${sort}`)
    t.equal(body.items[0].article.id === a, true, sort)
  }
  t.match(await get('/articles?limit=1&sort=most'), { body: { items: [{ article_id: a }] } })
  const token = one!.guest_token
  const vote = await send('PUT', `/comments/${two!.id}/vote`, { value: 1 }, two!.guest_token)
  t.not(vote.status, 200, 'not on an own comment')
  t.match(await send('PUT', `/comments/${two!.id}/vote`, { value: 1 }, token), { status: 200 })
  t.match(await get(`${path}/viewer`, { token }), { status: 200, body: { may_post: true } })
  t.match(await send('PATCH', path, { title: 'Long', slow_mode_seconds: 60 }), { status: 200 })
  const waits = { token, body: { body: 'again' } }
  t.match(await call('POST', `${SITE}${path}/comments`, waits), { body: { code: 'slow_mode' } })
  t.match(await send('PATCH', path, { slow_mode_seconds: null }), { body: { article_id: a } })
  const filter = `article_id=${encodeURIComponent(a)}`
  const queue = await send('GET', `/moderation/comments?status=approved&${filter}`)
  t.same(
    queue.body.items.map((item: Json) => item.article_id),
    [a, a, a],
  )
  const found = await send(
    'GET',
    `/moderation/threads?q=${encodeURIComponent(Array.from(a).slice(0, 80).join(''))}`,
  )
  t.match(found.body.items, [{ article_id: a }])
  const states = { threads: [{ article_id: a }, { article_id: longId('none') }], to: 'closed' }
  const closed = await send('POST', '/moderation/threads/decisions', states)
  t.match(closed.body.items, [{ article_id: a, outcome: 'changed' }, { outcome: 'not_found' }])
  t.match(await send('GET', `/moderation/decisions?${filter}`), { body: { items: [{}, {}, {}] } })
  const own = await call('GET', `${SITE}/authors/${one!.author.id}/export`, { token })
  t.equal(own.body.comments[0].article_id === a, true)
  t.match(await send('POST', `${path}/deletions`, { expected_count: 3 }), { status: 202 })
  t.match(await get(path), { body: { article_id: a, comment_count: 0 } })
})

t.test('long ids are moved, merged, given as aliases, remapped and undone', async (t) => {
  const service = await open(t)
  const { get, post, send } = service
  const [a, b, old] = [longId('a'), longId('b'), longId('old')]
  const moved = await post(a, 'moved')
  await post(b, 'stays')
  const move = await send('POST', `/comments/${moved.id}/moves`, { article_id: b, parent_id: null })
  t.equal(move.status, 201)
  t.match((await get(`/comments/${moved.id}`)).body.article_id, b)
  t.equal((await send('POST', `/moderation/decisions/${move.body.id}/undos`)).status, 201)
  t.match((await get(`/comments/${moved.id}`)).body.article_id, a)
  const merge = await send('POST', `${pathOf(a)}/merges`, { into: b })
  t.equal(merge.status, 201)
  t.match((await get(pathOf(b))).body.comment_count, 2)
  t.equal((await send('POST', `/moderation/decisions/${merge.body.id}/undos`)).status, 201)
  t.match((await get(pathOf(a))).body.comment_count, 1)
  t.match(await send('POST', `${pathOf(a)}/aliases`, { article_id: old }), {
    status: 201,
    body: { article_id: old, alias_of: a },
  })
  t.match(await get(pathOf(old)), { body: { article_id: a } })
  t.match((await post(old, 'by the alias')).article_id, a)
  t.match((await send('GET', `${pathOf(a)}/aliases`)).body.items, [{ article_id: old }])
  const rules = [{ from_prefix: 'a', to_prefix: 'c' }]
  t.match(await send('POST', '/articles/remaps', { rules, dry_run: true }), {
    body: { renamed: 1, items: [{ article_id: a, to: `c${a.slice(1)}` }] },
  })
  const batch = await send('POST', '/articles/remaps', { rules })
  await until('the remap has ended', async () => {
    const now = await send('GET', `/moderation/batches/${batch.body.id}`)
    return now.body.ended_at !== null
  })
  t.match(await get(pathOf(a)), { body: { article_id: `c${a.slice(1)}`, comment_count: 2 } })
  t.equal(
    (await send('DELETE', `${pathOf(`c${a.slice(1)}`)}/aliases/${encodeURIComponent(old)}`)).status,
    204,
  )
  t.match(await get(pathOf(old)), { body: { article_id: old, comment_count: 0 } })
  t.same(await recount(service.db), [])
})

t.test('a site with long ids is exported, and an empty site takes all of them', async (t) => {
  const service = await open(t)
  const { post, send, call, adminKey: token } = service
  const [a, b, alias] = [longId('a'), longId('b'), longId('alias')]
  const comment = await post(a, 'one')
  await post(b, 'two')
  await send('POST', `${pathOf(b)}/aliases`, { article_id: alias })
  await send('POST', `/comments/${comment.id}/moves`, { article_id: b, parent_id: null })
  const file = (await call('GET', `${SITE}/export`, { token })).text
  t.notMatch(file, '\u007f')
  await call('POST', '/v1/sites', { token, body: { slug: 'copy', name: 'Copy' } })
  const headers = { 'content-type': 'application/octet-stream' }
  const started = await call('POST', '/v1/sites/copy/imports', { token, headers, body: file })
  t.equal(started.status, 202)
  const imported = await until('the import has ended', async () => {
    const now = await call('GET', `/v1/sites/copy/imports/${started.body.id}`, { token })
    return now.body.ended_at === null ? undefined : now.body
  })
  t.equal(imported.state, 'done', JSON.stringify(imported).slice(0, 600))
  const read = async (site: string, id: string) => {
    const { body } = await call('GET', `/v1/sites/${site}${pathOf(id)}`, { token })
    return [body.article_id === id, body.comment_count]
  }
  for (const id of [a, b, alias]) t.same(await read('copy', id), await read('default', id))
})

t.test('nobody takes the thread of a long id by its hash', async (t) => {
  const { get, post, call, adminKey } = await openService(t)
  const long = longId('a')
  const hash = articleColumnsOf(long).articleId
  await post(hash, 'of a stranger')
  const held = await post(long, 'of a reader')
  const other = longId('b')
  const otherHash = articleColumnsOf(other).articleId
  await post('c', 'named by both')
  const alias = { token: adminKey, body: { article_id: otherHash } }
  t.equal((await call('POST', `${SITE}${pathOf('c')}/aliases`, alias)).status, 201)
  await post(other, 'of a reader')
  for (const [id, body] of [
    [long, 'of a reader'],
    [hash, 'of a stranger'],
    [other, 'of a reader'],
  ] as const)
    t.match((await get(`${pathOf(id)}/comments`)).body, {
      thread: { article_id: id, comment_count: 1 },
      items: [{ article_id: id, body }],
    })
  t.equal((await get(`${pathOf(otherHash)}`)).body.article_id, 'c')
  const counted = await call('POST', `${SITE}/counts`, { body: { article_ids: [long, hash] } })
  t.match(counted.body, { [long]: { comment_count: 1 }, [hash]: { comment_count: 1 } })
  const of = `article_id=${encodeURIComponent(long)}`
  for (const sort of ['newest', 'visible'])
    t.same(
      (await get(`/comments?sort=${sort}&${of}`)).body.items.map(({ id }: Json) => id),
      [held.id],
    )
})

t.test('both forms of the key of an article are the same', async (t) => {
  const { db } = await open(t)
  const ids = fc.array(
    fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 700, size: 'max' }),
    { minLength: 1, maxLength: 5 },
  )
  const hashes = ['', 'a', 'x'.repeat(511), 'x'.repeat(512)].map((rest) => `\u007f${rest}`)
  const edges = [511, 512, 513, MAX].flatMap((n) => ['x'.repeat(n), '🙂'.repeat(n), '\\'.repeat(n)])
  const compare = async (texts: string[]) => {
    const usable = texts.filter((text) => !text.includes('\0') && text.isWellFormed())
    const { rows } = await sql<{ keys: string[]; key: string[]; long: (string | null)[] }>`
      select ${keysOf(sql`${usable}::text[]`)} as keys,
        array(select ${keyOf(sql`a`)} from unnest(${usable}::text[]) a) as key,
        array(select ${longIdOf(sql`a`)} from unnest(${usable}::text[]) a) as long`.execute(db)
    const expected = usable.map(articleColumnsOf)
    t.same(rows[0], {
      keys: expected.map(({ articleId }) => articleId),
      key: expected.map(({ articleId }) => articleId),
      long: expected.map(({ longArticleId }) => longArticleId),
    })
  }
  await compare([...edges, ...hashes])
  await fc.assert(fc.asyncProperty(ids, compare), { numRuns: runs(20, 200) })
})

t.test(
  'the database refuses a long id with another hash, and takes threads of the release before',
  async (t) => {
    const { db } = await open(t)
    const long = longId('a')
    const { articleId } = articleColumnsOf(long)
    const insert = (key: string, id: string | null) =>
      sql`insert into threads (site_id, article_id, long_article_id) values (1, ${key}, ${id})`.execute(
        db,
      )
    for (const [key, id] of [
      ['a', long],
      [articleId, 'short'],
      [articleId, '\u007fshort'],
      [articleId, `${long}x`],
      [articleId, long.slice(2)],
    ])
      await t.rejects(insert(key!, id!), /threads_long_article_id/)
    await insert(articleId, long)
    await t.rejects(insert(articleId, long), /threads_article/)
    for (const inserted of [1n, 0n]) {
      const { numAffectedRows } = await sql`
      insert into threads (site_id, article_id) values (1, 'of before')
      on conflict (site_id, article_id) do nothing`.execute(db)
      t.equal(numAffectedRows, inserted)
    }
  },
)
