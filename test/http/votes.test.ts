import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

const SITE = '/v1/sites/default'

const makeGuest = async (world: TestService): Promise<string> => {
  const { body } = await world.call('POST', `${SITE}/guests`, { body: { name: 'Grace' } })
  return body.guest_token
}
const makeGuests = (world: TestService, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => makeGuest(world)))

const vote = (
  world: TestService,
  id: string,
  { token, value }: { token?: string; value: number },
) => world.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value } })

t.test('a vote counts, is changed, and is taken back', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const token = await makeGuest(world)
  for (const [value, upvotes, downvotes] of [
    [1, 1, 0],
    [-1, 0, 1],
    [-1, 0, 1],
    [0, 0, 0],
    [1, 1, 0],
  ] as const) {
    const { status, body } = await vote(world, id, { token, value })
    t.equal(status, 200)
    t.same(body, { comment_id: id, value, score: upvotes - downvotes, upvotes, downvotes })
    t.match((await world.get(`/comments/${id}`)).body, { score: body.score, upvotes, downvotes })
  }
  t.same(await recount(world.db), [])
})

t.test(
  'a vote that changes something says which version shows it, one that does not is silent',
  async (t) => {
    const world = await openService(t)
    const { id } = await world.post('a', 'x')
    const token = await makeGuest(world)
    const first = await vote(world, id, { token, value: 1 })
    const version = Number(first.headers['thread-version'])
    t.equal((await world.get('/articles/a')).body.version, version)
    const second = await vote(world, id, { token, value: 1 })
    t.equal(second.headers['thread-version'], undefined)
    t.equal((await world.get('/articles/a')).body.version, version)
  },
)

t.test('200 parallel identical votes move the score by one', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const token = await makeGuest(world)
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => vote(world, id, { token, value: 1 })),
  )
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal((await world.get(`/comments/${id}`)).body.score, 1)
  t.same(await recount(world.db), [])
})

t.test('any mix of parallel votes on two nodes ends equal to the rows', async (t) => {
  const world = await openService(t)
  const other = await openTwin(t, world)
  const ids = [(await world.post('a', 'x')).id, (await world.post('a', 'y')).id]
  const tokens = await makeGuests(world, 6)
  const cast = fc.record({
    comment: fc.nat(1),
    voter: fc.nat(5),
    value: fc.constantFrom(-1, 0, 1),
    node: fc.nat(1),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(cast, { maxLength: 40 }), async (casts) => {
      const statuses = await Promise.all(
        casts.map(async ({ comment, voter, value, node }) => {
          const { statusCode } = await [world.app, other][node]!.inject({
            method: 'PUT',
            url: `${SITE}/comments/${ids[comment]}/vote`,
            headers: { authorization: `Bearer ${tokens[voter]}` },
            payload: { value },
          })
          return statusCode
        }),
      )
      t.ok(statuses.every((status) => status === 200))
      const { rows } = await sql<{ off: number }>`
        select c.score - coalesce(sum(v.value), 0) as off from comments c
        left join votes v on v.comment_id = c.id group by c.id, c.score`.execute(world.db)
      t.ok(rows.every(({ off }) => Number(off) === 0))
    }),
    { numRuns: 10 },
  )
  t.same(await recount(world.db), [])
})

t.test('nobody votes on its own comment, and keys vote on none', async (t) => {
  const world = await openService(t)
  const { id, guest_token: token } = await world.post('a', 'x')
  t.match(await vote(world, id, { token, value: 1 }), { status: 403, body: { code: 'forbidden' } })
  t.match(await vote(world, id, { token: world.adminKey, value: 1 }), { status: 403 })
  t.match(await vote(world, id, { value: 1 }), { status: 401, body: { code: 'login_required' } })
})

t.test(
  'a hidden comment and an absent one refuse votes and flags with the same bytes',
  async (t) => {
    const world = await openService(t)
    const token = await makeGuest(world)
    const { id } = await world.post('a', 'x')
    const parent = await world.post('a', 'tombstone')
    await world.post('a', 'y', { parent_id: parent.id })
    await world.decide(id, 'approved', 'rejected')
    await world.decide(parent.id, 'approved', 'spam')
    const answers = await Promise.all(
      [id, parent.id, 'c1-zzz', 'czz-1', 'nonsense'].flatMap((which) => [
        vote(world, which, { token, value: 1 }),
        world.call('POST', `${SITE}/comments/${which}/flags`, { token, body: { reason: 'spam' } }),
      ]),
    )
    const told = answers.map(({ status, text, headers }) => {
      const { date: _, ...rest } = headers
      return JSON.stringify([status, text, rest])
    })
    t.equal(new Set(told).size, 1)
    t.match(answers[0], { status: 404, body: { code: 'not_found' } })
  },
)

t.test('a locked thread takes no votes, a closed one does', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const token = await makeGuest(world)
  const set = (state: string) =>
    world.call('PATCH', `${SITE}/articles/a`, { token: world.adminKey, body: { state } })
  await set('closed')
  t.equal((await vote(world, id, { token, value: 1 })).status, 200)
  await set('locked')
  t.match(await vote(world, id, { token, value: 0 }), {
    status: 409,
    body: { code: 'thread_locked' },
  })
})

t.test(
  'five guests of one network vote on a comment, and members as many as there are',
  async (t) => {
    const world = await openService(t, {
      limits: { read: 0, write: 1_000 },
      trustedProxies: ['127.0.0.1'],
    })
    await openSignOn(world)
    const { id } = await world.post('a', 'x')
    const tokens = await makeGuests(world, 8)
    const answers = await Promise.all(tokens.map((token) => vote(world, id, { token, value: 1 })))
    t.equal(answers.filter(({ status }) => status === 200).length, 5)
    t.equal(answers.filter(({ status }) => status === 403).length, 3)
    const inside = tokens[answers.findIndex(({ status }) => status === 200)]!
    t.equal(
      (await vote(world, id, { token: inside, value: -1 })).status,
      200,
      'a change is no new vote',
    )
    const moved = await world.call('PUT', `${SITE}/comments/${id}/vote`, {
      token: inside,
      headers: { 'x-forwarded-for': '198.51.100.1' },
      body: { value: 1 },
    })
    t.equal(moved.status, 200)
    const outside = tokens[answers.findIndex(({ status }) => status === 403)]!
    const late = await vote(world, id, { token: outside, value: 1 })
    t.equal(late.status, 403, 'a change from elsewhere frees no place')
    for (const sub of ['ada', 'grace', 'olga']) {
      const token = await signToken({ sub, name: sub })
      t.equal((await vote(world, id, { token, value: 1 })).status, 200)
    }
    t.match((await world.get(`/comments/${id}`)).body, { upvotes: 8, downvotes: 0 })
  },
)

t.test('the ranked sorts follow the votes', async (t) => {
  const world = await openService(t)
  const one = await world.post('a', 'one')
  const two = await world.post('a', 'two')
  const many = await makeGuests(world, 12)
  const [up, down] = many
  for (const token of many) await vote(world, one.id, { token, value: 1 })
  await vote(world, two.id, { token: up!, value: 1 })
  await vote(world, two.id, { token: down!, value: -1 })
  const first = async (sort: string) =>
    (await world.get(`/articles/a/comments?sort=${sort}`)).body.items[0].body
  t.equal(await first('top'), 'one')
  t.equal(await first('best'), 'one')
  t.equal(await first('hot'), 'one')
  t.equal(await first('controversial'), 'two')
})

t.test('a repeated request under its key answers the same and changes nothing', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const token = await makeGuest(world)
  const headers = { 'idempotency-key': 'once-and-only-once' }
  const put = (value: number) =>
    world.call('PUT', `${SITE}/comments/${id}/vote`, { token, headers, body: { value } })
  const first = await put(1)
  await vote(world, id, { token, value: -1 })
  t.same((await put(1)).body, first.body)
  t.match(await put(-1), { status: 422, body: { code: 'idempotency_key_reused' } })
  t.equal((await world.get(`/comments/${id}`)).body.score, -1)
})

t.test('votes and hides of the same comment end in a tree whose figures are true', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const tokens = await makeGuests(world, 10)
  const answers = await Promise.all([
    ...tokens.map((token) => vote(world, id, { token, value: 1 })),
    world.decide(id, 'approved', 'rejected'),
    ...tokens.map((token) => vote(world, id, { token, value: -1 })),
  ])
  t.ok(answers.every(({ status }) => [200, 201, 404].includes(status)))
  t.same(await recount(world.db), [])
})

t.test('a vote is there for whoever asks any node for its version', async (t) => {
  const world = await openService(t)
  const other = await openTwin(t, world)
  const { id } = await world.post('a', 'x')
  const read = async (version: string) => {
    const url = `${SITE}/articles/a/comments?at_least=${version}`
    return (await other.inject({ method: 'GET', url })).json().items[0].score
  }
  t.equal(await read('0'), 0)
  for (const [n, token] of (await makeGuests(world, 3)).entries()) {
    const { headers } = await vote(world, id, { token, value: 1 })
    t.equal(await read(headers['thread-version']), n + 1)
  }
})

t.test('where only members take part, guests neither vote nor flag', async (t) => {
  const world = await openService(t)
  await openSignOn(world)
  const { id } = await world.post('a', 'x')
  const token = await makeGuest(world)
  const body = { who_may_post: 'members' }
  await world.call('PATCH', SITE, { token: world.adminKey, body })
  const refused = { status: 401, body: { code: 'login_required' } }
  t.match(await vote(world, id, { token, value: 1 }), refused)
  const flag = { token, body: { reason: 'spam' } }
  t.match(await world.call('POST', `${SITE}/comments/${id}/flags`, flag), refused)
  t.equal((await vote(world, id, { token: await signToken(), value: 1 })).status, 200)
})

t.test('of votes that share a transaction each has its own answer', async (t) => {
  const world = await openService(t)
  const mine = await world.post('a', 'x')
  const [first, ...tokens] = await makeGuests(world, 6)
  const answers = await Promise.all([
    vote(world, mine.id, { token: first!, value: 1 }),
    vote(world, mine.id, { token: mine.guest_token, value: 1 }),
    vote(world, 'c1-zz', { token: first!, value: 1 }),
    ...tokens.map((token) => vote(world, mine.id, { token, value: -1 })),
  ])
  t.same(
    answers.map(({ status }) => status),
    [200, 403, 404, 200, 200, 200, 200, 200],
  )
  t.match((await world.get(`/comments/${mine.id}`)).body, { upvotes: 1, downvotes: 5 })
})
