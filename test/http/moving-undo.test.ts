import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const asModerator = ({ call, adminKey: token }: TestService) => {
  const send = (path: string, body?: object) =>
    call('POST', `${SITE}${path}`, { token, ...(body && { body }) })
  return {
    move: (id: string, article: string, parent: string | null = null, more: object = {}) =>
      send(`/comments/${id}/moves`, { article_id: article, parent_id: parent, ...more }),
    merge: (article: string, into: string, more: object = {}) =>
      send(`/articles/${article}/merges`, { into, ...more }),
    undo: ({ body }: { body: Json }) => send(`/moderation/decisions/${body.id}/undos`),
  }
}

const said = ({ status, body }: { status: number; body: any }): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

/** All that readers see of threads, but for what only tells that something has changed. */
const pictureOf = async ({ get }: TestService, articles: readonly string[]): Promise<Json[]> =>
  Promise.all(
    articles.map(async (article) => {
      const { body } = await get(`/articles/${article}/comments?sort=oldest&depth=10&replies=50`)
      return { ...body, thread: { ...body.thread, version: 0 } }
    }),
  )

const plant = async ({ post }: TestService) => {
  const target = await post('b', 'target')
  const root = await post('a', 'root')
  const reply = await post('a', 'reply', { parent_id: root.id })
  const nested = await post('a', 'nested', { parent_id: reply.id })
  return { target, root, reply, nested, other: await post('a', 'other') }
}

t.test('an undone move leaves nothing behind', async (t) => {
  const service = await openService(t)
  const { move, undo } = asModerator(service)
  const { reply, nested, target } = await plant(service)
  await service.decide(reply.id, 'approved', 'rejected')
  const before = await pictureOf(service, ['a', 'b'])
  for (const [id, article, parent] of [
    [reply.id, 'b', target.id],
    [reply.id, 'b', null],
    [reply.id, 'a', null],
    [nested.id, 'a', null],
  ] as const) {
    const moved = await move(id, article, parent)
    t.equal(moved.status, 201)
    const undone = await undo(moved)
    t.match(undone, {
      status: 201,
      body: { action: 'move', comment_id: id, undoes: moved.body.id, after: moved.body.before },
    })
    t.same(await pictureOf(service, ['a', 'b']), before)
    t.same(await recount(service.db), [])
    t.equal(said(await undo(moved)), '409 decision_conflict', 'once')
    t.equal(said(await undo(undone)), '201', 'and what is taken back can be taken back')
    await undo({ body: (await latestOn(service, id))! })
    t.same(await pictureOf(service, ['a', 'b']), before)
  }
})

const latestOn = async ({ get, adminKey: token }: TestService, id: string): Promise<Json> =>
  (await get(`/moderation/decisions?comment_id=${id}`, { token })).body.items[0]

t.test('undo of a move is refused when its comments have changed since', async (t) => {
  const service = await openService(t)
  const { move, undo } = asModerator(service)
  const { root, reply, nested, target } = await plant(service)
  const first = await move(nested.id, 'b')
  await move(nested.id, 'c')
  t.equal(said(await undo(first)), '409 decision_conflict', 'it was moved again')
  const second = await move(reply.id, 'b', target.id)
  await move(target.id, 'c')
  t.equal(said(await undo(second)), '409 decision_conflict', 'it was taken along')
  await move(reply.id, 'a', root.id)
  const third = await move(reply.id, 'b')
  const fourth = await move(root.id, 'c')
  t.equal(said(await undo(third)), '409 decision_conflict', 'its old parent is elsewhere')
  t.equal(said(await undo(fourth)), '201')
  await service.decide(root.id, 'approved', 'spam')
  t.equal(said(await undo(third)), '201', 'below what is a tombstone then')
  t.match((await service.get(`/comments/${root.id}`)).body, { status: 'deleted', reply_count: 1 })
  t.same(await recount(service.db), [])
})

t.test('undo of a move takes replies posted since along', async (t) => {
  const service = await openService(t)
  const { move, undo } = asModerator(service)
  const { other } = await plant(service)
  const moved = await move(other.id, 'b')
  const late = await service.post('b', 'late', { parent_id: other.id })
  t.equal((await undo(moved)).status, 201)
  t.match((await service.get(`/comments/${late.id}`)).body, {
    article_id: 'a',
    parent_id: other.id,
  })
  t.same(await recount(service.db), [])
})

t.test('an undone merge restores both threads', async (t) => {
  const service = await openService(t)
  const { merge, undo, move } = asModerator(service)
  const { root, other } = await plant(service)
  const before = await pictureOf(service, ['a', 'b'])
  const merged = await merge('a', 'b')
  t.equal((await undo(merged)).status, 201)
  t.same(await pictureOf(service, ['a', 'b']), before)
  t.equal(said(await undo(merged)), '409 decision_conflict')
  t.same(await recount(service.db), [])
  const again = await merge('a', 'b')
  await move(other.id, 'c')
  t.equal((await undo(again)).status, 201)
  t.match((await service.get(`/comments/${root.id}`)).body, { article_id: 'a' })
  t.match(
    (await service.get(`/comments/${other.id}`)).body,
    { article_id: 'c' },
    'it was moved since',
  )
  t.same(await recount(service.db), [])
})

t.test('undos of chained moves and merges bring the comments back step by step', async (t) => {
  const service = await openService(t)
  const { merge, undo, move } = asModerator(service)
  const { other, target } = await plant(service)
  const articles = ['a', 'b', 'c']
  const planted = await pictureOf(service, articles.slice(0, 2))
  const [first, second] = [await merge('a', 'b'), await merge('b', 'c')]
  t.equal(
    said(await undo(first)),
    '409 decision_conflict',
    'the comments are in c by a later merge',
  )
  t.match((await undo(second)).body.restored, { comments: 5, settings: 2 })
  t.match((await undo(first)).body.restored, { comments: 4, settings: 1 })
  t.same(await pictureOf(service, ['a', 'b']), planted)
  const moves = [await move(other.id, 'b', target.id), await move(other.id, 'c')]
  for (const moved of moves.toReversed())
    t.match(await undo(moved), { status: 201, body: { restored: { comments: 1, settings: 0 } } })
  t.same(await pictureOf(service, ['a', 'b']), planted)
  t.same(await recount(service.db), [])
})

t.test('an undone merge of a thread that had closed by its time restores its state', async (t) => {
  const service = await openService(t)
  const { merge, undo } = asModerator(service)
  const token = service.adminKey
  const patch = (body: object) => service.call('PATCH', `${SITE}/articles/a`, { token, body })
  await plant(service)
  await patch({ closes_at: '2020-01-01T00:00:00.000Z' })
  t.equal(said(await undo(await merge('a', 'b'))), '201')
  t.match((await service.get('/articles/a')).body, { state: 'closed' })
  t.match((await patch({ closes_at: null })).body, { state: 'open' }, 'only its time closed it')
})

t.test('a merge or a move out of a hidden thread publishes only what it is told to', async (t) => {
  const service = await openService(t)
  const { merge, undo, move } = asModerator(service)
  const token = service.adminKey
  const { other } = await plant(service)
  await service.call('PATCH', `${SITE}/articles/a`, { token, body: { state: 'hidden' } })
  for (const refused of [await merge('a', 'b'), await move(other.id, 'b')])
    t.match(refused, {
      status: 409,
      body: { code: 'move_not_allowed', errors: [{ pointer: '/publish' }] },
    })
  t.match((await service.get('/articles/b')).body, { comment_count: 1 })
  const merged = await merge('a', 'b', { publish: true })
  t.match((await service.get('/articles/b')).body, { comment_count: 5 })
  t.equal(said(await undo(merged)), '201')
  t.match((await service.get('/articles/b')).body, { comment_count: 1 })
  t.equal((await service.get('/articles/a')).body.comment_count, 0, 'it is hidden again')
  t.equal(said(await merge('a', 'new')), '201', 'a renamed thread stays hidden')
  t.equal((await service.get('/articles/new')).body.comment_count, 0)
})

t.test('a move below a locked comment locks the branch, and its undo opens it again', async (t) => {
  const service = await openService(t)
  const { move, undo } = asModerator(service)
  const token = service.adminKey
  const { reply, nested, target, root } = await plant(service)
  const lock = (id: string) =>
    service.call('PUT', `${SITE}/comments/${id}/lock`, { token, body: { locked: true } })
  const isLocked = async (id: string) => (await service.get(`/comments/${id}`)).body.locked
  await lock(target.id)
  const moved = await move(reply.id, 'b', target.id)
  t.same(await Promise.all([reply.id, nested.id].map(isLocked)), [true, true])
  const undone = await undo(moved)
  t.same(await Promise.all([reply.id, nested.id].map(isLocked)), [false, false])
  const redone = await undo(undone)
  t.same(await Promise.all([reply.id, nested.id].map(isLocked)), [true, true])
  await lock(root.id)
  await undo(redone)
  t.same(
    await Promise.all([reply.id, nested.id].map(isLocked)),
    [true, true],
    'its old parent is locked by now',
  )
})

t.test(
  'a merge into an article without comments renames the article, and its undo names it back',
  async (t) => {
    const service = await openService(t)
    const { merge, undo } = asModerator(service)
    const token = service.adminKey
    const settings = async (article: string) => {
      const { rows } = await sql<Json>`
      select title, url, state, closes_at, slow_mode_seconds, moderation, stays_open, created_at,
        comment_count
      from threads where article_id = ${article}`.execute(service.db)
      return rows[0]
    }
    const patch = (article: string, body: object) =>
      service.call('PATCH', `/v1/sites/default/articles/${article}`, { token, body })
    await service.post(
      'old',
      'x',
      { article: { title: 'Title', url: 'https://example.org/old' } },
      { token: service.adminKey },
    )
    const closes_at = '2030-01-01T00:00:00.000Z'
    await patch('old', { closes_at, slow_mode_seconds: 60, moderation: 'pre', state: 'locked' })
    await sql`update threads set created_at = now() - interval '400 days'`.execute(service.db)
    await patch('new', { url: 'https://example.org/new' })
    const [source, target] = [await settings('old'), await settings('new')]
    const merged = await merge('old', 'new')
    t.match(merged.body.after.into, { title: 'Title', state: 'locked' })
    t.same(await settings('new'), { ...source, url: target!.url }, 'it keeps what was set')
    t.match((await service.get('/articles/new')).body, { title: 'Title', state: 'locked' })
    t.equal((await undo(merged)).status, 201)
    t.same(await settings('new'), target)
    t.same(await settings('old'), source)
    await patch('old', { state: 'open' })
    const again = await merge('old', 'new')
    await patch('new', { title: 'Mine' })
    t.equal((await undo(again)).status, 201)
    t.match(
      await settings('new'),
      { title: 'Mine', slow_mode_seconds: null },
      'not what came later',
    )
  },
)

t.test(
  'a merge into a thread with comments fills its title and URL and leaves its settings',
  async (t) => {
    const service = await openService(t)
    const { merge, undo } = asModerator(service)
    await service.post(
      'a',
      'x',
      { article: { title: 'A', url: 'https://example.org/a' } },
      { token: service.adminKey },
    )
    await service.post('b', 'x', { article: { title: 'B' } }, { token: service.adminKey })
    const body = { state: 'closed', slow_mode_seconds: 60 }
    await service.call('PATCH', '/v1/sites/default/articles/a', { token: service.adminKey, body })
    const merged = await merge('a', 'b')
    const kept = { title: 'B', url: 'https://example.org/a', state: 'open', slow_mode_seconds: 0 }
    t.match((await service.get('/articles/b')).body, kept)
    t.equal((await undo(merged)).status, 201)
    t.match((await service.get('/articles/b')).body, { ...kept, url: null })
  },
)

type Act = { readonly kind: string; readonly one: number; readonly other: number }

const ARTICLES = ['a', 'b', 'c']
const STATUSES = ['approved', 'pending', 'rejected', 'deleted']

const anAct: fc.Arbitrary<Act> = fc.record({
  kind: fc.constantFrom('post', 'post', 'post', 'move', 'move', 'decide', 'merge', 'undo'),
  one: fc.nat(),
  other: fc.nat(),
})

/** Does something at random; what is refused changes nothing. @returns the answer */
const createActor = (service: TestService) => {
  const { move, merge, undo } = asModerator(service)
  const ids: string[] = []
  const moves: Json[] = []
  const at = <T>(list: readonly T[], n: number): T => list[n % list.length]!
  const article = (n: number) => at(ARTICLES, n)
  const remember = (answer: { status: number; body: Json }) => {
    if (answer.status === 201) moves.push(answer.body)
    return answer
  }
  const post = async ({ one, other }: Act) => {
    const parent = one % 4 === 0 ? null : (ids[other % (ids.length + 1)] ?? null)
    const place = parent && (await service.get(`/comments/${parent}`)).body.article_id
    const body = { body: 'text', author: { name: 'Ada' }, parent_id: parent }
    const path = `${SITE}/articles/${place ?? article(other)}/comments`
    const answer = await service.call('POST', path, { body })
    if (answer.status === 201) ids.push(answer.body.id)
    return answer
  }
  return async (act: Act) => {
    const { kind, one, other } = act
    if (kind === 'post' || ids.length === 0) return post(act)
    if (kind === 'merge') return remember(await merge(article(one), article(other)))
    if (kind === 'undo' && moves.length > 0) return remember(await undo({ body: at(moves, one) }))
    if (kind === 'decide') {
      const id = at(ids, one)
      const path = `/comments/${id}`
      const { status: from } = (await service.get(path, { token: service.adminKey })).body
      return service.decide(id, from, at(STATUSES, other), { replies: at(['keep', 'same'], one) })
    }
    const parent = other % 3 === 0 ? null : at(ids, other)
    return remember(await move(at(ids, one), article(one + other), parent))
  }
}

t.test('any sequence of moves, merges, decisions and undos keeps every count true', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(anAct, { minLength: 10, maxLength: 30 }), async (acts) => {
      const service = await openService(t)
      const act = createActor(service)
      for (const one of acts) {
        const { status, body } = await act(one)
        if (status >= 500) throw new Error(`${one.kind}: ${status} ${JSON.stringify(body)}`)
        const differences = await recount(service.db)
        if (differences.length > 0) throw new Error(`${one.kind}: ${differences.join('\n')}`)
      }
    }),
    { numRuns: runs(3, 20), endOnFailure: true },
  )
})

const SENDERS = 24

t.test('concurrent posts, votes, decisions and moves lose nothing', async (t) => {
  const service = await openService(t)
  const apps = [service.app, await openTwin(t, service)]
  const { adminKey, db } = service
  let sent = 0
  const send = async (
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    token: string,
    body: Json,
  ) => {
    const answer = await apps[sent++ % 2]!.inject({
      method,
      url: `${SITE}${path}`,
      headers: { ...(token && { authorization: `Bearer ${token}` }) },
      payload: body,
    })
    return { status: answer.statusCode, body: answer.body ? JSON.parse(answer.body) : {} }
  }
  const tops = await Promise.all(
    Array.from({ length: 6 }, (_, n) => service.post(ARTICLES[n % 3]!, `top ${n}`)),
  )
  const posted: string[] = []
  const voters = new Set<string>()
  const unsure = new Set<string>()
  const one = async (n: number) => {
    const top = tops[n % tops.length]!
    const article = ARTICLES[(n * 7) % 3]!
    if (n % 5 === 0)
      return send('POST', `/comments/${top.id}/moves`, adminKey, { article_id: article })
    if (n % 5 === 1) {
      const [from, to] = n % 2 ? ['approved', 'pending'] : ['pending', 'approved']
      return send('POST', `/comments/${top.id}/decisions`, adminKey, { from, to })
    }
    if (n % 5 === 2) {
      const { guest_token: token } = tops[(n + 1) % tops.length]!
      const vote = await send('PUT', `/comments/${top.id}/vote`, token, { value: 1 })
      if (vote.status === 200) voters.add(`${top.id} ${token}`)
      if (vote.status === 503) unsure.add(`${top.id} ${token}`)
      return vote
    }
    const body = { body: `reply ${n}`, author: { name: 'Ada' }, parent_id: top.id }
    const answer = await send('POST', `/articles/${article}/comments`, '', body)
    if (answer.status === 201) posted.push(answer.body.id)
    return answer
  }
  const answers: { status: number; body: Json }[] = []
  // Fewer at a time than there are connections. Who waits for locks too long is refused all the same.
  const sender = async (first: number) => {
    for (let n = first; n < 300; n += SENDERS) answers.push(await one(n))
  }
  await Promise.all(Array.from({ length: SENDERS }, (_, n) => sender(n)))
  const unexpected = answers.filter(({ status, body }) => {
    const code = status < 400 ? '' : ` ${body.code}`
    return !/^(200|201|404 not_found|409 decision_conflict|422 parent_not_found|400 invalid_request|503 unavailable)$/.test(
      `${status}${code}`,
    )
  })
  t.same(unexpected, [])
  t.ok(posted.length > 0)
  t.same(await recount(db), [])
  for (const id of posted)
    t.equal((await service.get(`/comments/${id}`, { token: adminKey })).body.id, id)
  const votes = await db.selectFrom('votes').selectAll().execute()
  t.ok(votes.length >= voters.size, 'no vote is lost')
  t.ok(votes.length <= new Set([...voters, ...unsure]).size, 'no vote is counted twice')
})
