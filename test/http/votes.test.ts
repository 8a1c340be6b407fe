import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { ABSENT } from '../ids.ts'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

const SITE = '/v1/sites/default'

const makeGuest = async (service: TestService): Promise<string> => {
  const { body } = await service.call('POST', `${SITE}/guests`, { body: { name: 'Grace' } })
  return body.guest_token
}
const makeGuests = (service: TestService, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => makeGuest(service)))

const vote = (
  service: TestService,
  id: string,
  { token, value }: { token?: string; value: number },
) => service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value } })

t.test('voteComment counts, changes and removes a vote', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const token = await makeGuest(service)
  for (const [value, upvotes, downvotes] of [
    [1, 1, 0],
    [-1, 0, 1],
    [-1, 0, 1],
    [0, 0, 0],
    [1, 1, 0],
  ] as const) {
    const { status, body } = await vote(service, id, { token, value })
    t.equal(status, 200)
    t.same(body, { comment_id: id, value, score: upvotes - downvotes, upvotes, downvotes })
    t.match((await service.get(`/comments/${id}`)).body, { score: body.score, upvotes, downvotes })
  }
  t.same(await recount(service.db), [])
})

t.test(
  'voteComment returns the version that shows a change, and none without a change',
  async (t) => {
    const service = await openService(t)
    const { id } = await service.post('a', 'x')
    const token = await makeGuest(service)
    const first = await vote(service, id, { token, value: 1 })
    const version = Number(first.headers['thread-version'])
    t.equal((await service.get('/articles/a')).body.version, version)
    const second = await vote(service, id, { token, value: 1 })
    t.equal(second.headers['thread-version'], undefined)
    t.equal((await service.get('/articles/a')).body.version, version)
  },
)

t.test('200 concurrent identical votes change the score by one', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const token = await makeGuest(service)
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => vote(service, id, { token, value: 1 })),
  )
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal((await service.get(`/comments/${id}`)).body.score, 1)
  t.same(await recount(service.db), [])
})

t.test('any mix of concurrent votes on two nodes ends with the score of the rows', async (t) => {
  const service = await openService(t)
  const other = await openTwin(t, service)
  const ids = [(await service.post('a', 'x')).id, (await service.post('a', 'y')).id]
  const tokens = await makeGuests(service, 6)
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
          const { statusCode } = await [service.app, other][node]!.inject({
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
        select k.score - coalesce(sum(v.value), 0) as off from comment_tallies k
        left join votes v using (comment_id) group by comment_id, k.score`.execute(service.db)
      t.ok(rows.every(({ off }) => Number(off) === 0))
    }),
    { numRuns: 10 },
  )
  t.same(await recount(service.db), [])
})

t.test('authors cannot vote on their own comments, and keys cannot vote', async (t) => {
  const service = await openService(t)
  const { id, guest_token: token } = await service.post('a', 'x')
  t.match(await vote(service, id, { token, value: 1 }), {
    status: 403,
    body: { code: 'forbidden' },
  })
  t.match(await vote(service, id, { token: service.adminKey, value: 1 }), { status: 403 })
  t.match(await vote(service, id, { value: 1 }), { status: 401, body: { code: 'login_required' } })
})

t.test('votes and flags on a hidden and on an absent comment give the same bytes', async (t) => {
  const service = await openService(t)
  const token = await makeGuest(service)
  const { id } = await service.post('a', 'x')
  const parent = await service.post('a', 'tombstone')
  await service.post('a', 'y', { parent_id: parent.id })
  await service.decide(id, 'approved', 'rejected')
  await service.decide(parent.id, 'approved', 'spam')
  const answers = await Promise.all(
    [id, parent.id, ABSENT, 'c1-1', 'nonsense'].flatMap((which) => [
      vote(service, which, { token, value: 1 }),
      service.call('POST', `${SITE}/comments/${which}/flags`, {
        token,
        body: { reason: 'spam' },
      }),
    ]),
  )
  const told = answers.map(({ status, text, headers }) => {
    const { date: _, ...rest } = headers
    return JSON.stringify([status, text, rest])
  })
  t.equal(new Set(told).size, 1)
  t.match(answers[0], { status: 404, body: { code: 'not_found' } })
})

t.test('a locked thread takes no votes, a closed one does', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const token = await makeGuest(service)
  const set = (state: string) =>
    service.call('PATCH', `${SITE}/articles/a`, { token: service.adminKey, body: { state } })
  await set('closed')
  t.equal((await vote(service, id, { token, value: 1 })).status, 200)
  await set('locked')
  t.match(await vote(service, id, { token, value: 0 }), {
    status: 409,
    body: { code: 'thread_locked' },
  })
})

t.test(
  'at most five guests of one network vote on a comment, and any number of members',
  async (t) => {
    const service = await openService(t, {
      limits: { read: 0, write: 1_000 },
      trustedProxies: ['127.0.0.1'],
    })
    await openSignOn(service)
    const { id } = await service.post('a', 'x')
    const tokens = await makeGuests(service, 8)
    const answers = await Promise.all(tokens.map((token) => vote(service, id, { token, value: 1 })))
    t.equal(answers.filter(({ status }) => status === 200).length, 5)
    t.equal(answers.filter(({ status }) => status === 403).length, 3)
    const inside = tokens[answers.findIndex(({ status }) => status === 200)]!
    t.equal(
      (await vote(service, id, { token: inside, value: -1 })).status,
      200,
      'a change is no new vote',
    )
    const moved = await service.call('PUT', `${SITE}/comments/${id}/vote`, {
      token: inside,
      headers: { 'x-forwarded-for': '198.51.100.1' },
      body: { value: 1 },
    })
    t.equal(moved.status, 200)
    const outside = tokens[answers.findIndex(({ status }) => status === 403)]!
    const late = await vote(service, id, { token: outside, value: 1 })
    t.equal(late.status, 403, 'a change from elsewhere frees no place')
    for (const sub of ['ada', 'grace', 'olga']) {
      const token = await signToken({ sub, name: sub })
      t.equal((await vote(service, id, { token, value: 1 })).status, 200)
    }
    t.match((await service.get(`/comments/${id}`)).body, { upvotes: 8, downvotes: 0 })
  },
)

t.test('the ranked sorts follow the votes', async (t) => {
  const service = await openService(t)
  const one = await service.post('a', 'one')
  const two = await service.post('a', 'two')
  const many = await makeGuests(service, 12)
  const [up, down] = many
  for (const token of many) await vote(service, one.id, { token, value: 1 })
  await vote(service, two.id, { token: up!, value: 1 })
  await vote(service, two.id, { token: down!, value: -1 })
  const first = async (sort: string) =>
    (await service.get(`/articles/a/comments?sort=${sort}`)).body.items[0].body
  t.equal(await first('top'), 'one')
  t.equal(await first('best'), 'one')
  t.equal(await first('hot'), 'one')
  t.equal(await first('controversial'), 'two')
})

t.test(
  'a repeated vote with its Idempotency-Key returns the same and changes nothing',
  async (t) => {
    const service = await openService(t)
    const { id } = await service.post('a', 'x')
    const token = await makeGuest(service)
    const headers = { 'idempotency-key': 'once-and-only-once' }
    const put = (value: number) =>
      service.call('PUT', `${SITE}/comments/${id}/vote`, { token, headers, body: { value } })
    const first = await put(1)
    await vote(service, id, { token, value: -1 })
    t.same((await put(1)).body, first.body)
    t.match(await put(-1), { status: 422, body: { code: 'idempotency_key_reused' } })
    t.equal((await service.get(`/comments/${id}`)).body.score, -1)
  },
)

t.test('concurrent votes and hides of one comment keep every count true', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const tokens = await makeGuests(service, 10)
  const answers = await Promise.all([
    ...tokens.map((token) => vote(service, id, { token, value: 1 })),
    service.decide(id, 'approved', 'rejected'),
    ...tokens.map((token) => vote(service, id, { token, value: -1 })),
  ])
  t.ok(answers.every(({ status }) => [200, 201, 404].includes(status)))
  t.same(await recount(service.db), [])
})

t.test('a vote is shown by every node that is asked for its version', async (t) => {
  const service = await openService(t)
  const other = await openTwin(t, service)
  const { id } = await service.post('a', 'x')
  const read = async (version: string) => {
    const url = `${SITE}/articles/a/comments?at_least=${version}`
    return (await other.inject({ method: 'GET', url })).json().items[0].score
  }
  t.equal(await read('0'), 0)
  for (const [n, token] of (await makeGuests(service, 3)).entries()) {
    const { headers } = await vote(service, id, { token, value: 1 })
    t.equal(await read(headers['thread-version']), n + 1)
  }
})

t.test('guests of a members-only site can neither vote nor flag', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { id } = await service.post('a', 'x')
  const token = await makeGuest(service)
  const body = { who_may_post: 'members' }
  await service.call('PATCH', SITE, { token: service.adminKey, body })
  const refused = { status: 401, body: { code: 'login_required' } }
  t.match(await vote(service, id, { token, value: 1 }), refused)
  const flag = { token, body: { reason: 'spam' } }
  t.match(await service.call('POST', `${SITE}/comments/${id}/flags`, flag), refused)
  t.equal((await vote(service, id, { token: await signToken(), value: 1 })).status, 200)
})

t.test('each of the votes in one transaction has its own response', async (t) => {
  const service = await openService(t)
  const mine = await service.post('a', 'x')
  const [first, ...tokens] = await makeGuests(service, 6)
  const answers = await Promise.all([
    vote(service, mine.id, { token: first!, value: 1 }),
    vote(service, mine.id, { token: mine.guest_token, value: 1 }),
    vote(service, ABSENT, { token: first!, value: 1 }),
    ...tokens.map((token) => vote(service, mine.id, { token, value: -1 })),
  ])
  t.same(
    answers.map(({ status }) => status),
    [200, 403, 404, 200, 200, 200, 200, 200],
  )
  t.match((await service.get(`/comments/${mine.id}`)).body, { upvotes: 1, downvotes: 5 })
})

t.test('votes on comments of several threads share transactions', async (t) => {
  const service = await openService(t)
  const articles = ['a', 'b', 'c', 'd']
  const comments = await Promise.all(articles.map((article) => service.post(article, 'x')))
  const tokens = await makeGuests(service, 4)
  const asked = tokens.flatMap((token) => comments.map(({ id }) => ({ id, token, value: 1 })))
  const answers = await Promise.all(asked.map(({ id, ...one }) => vote(service, id, one)))
  t.ok(answers.every(({ status }) => status === 200))
  const { rows } = await sql<{ writers: number; comments: number }>`
    select count(distinct xmin::text) as writers, count(distinct comment_id) as comments
    from votes`.execute(service.db)
  t.equal(rows[0]!.comments, articles.length)
  t.ok(rows[0]!.writers < asked.length / 2, `${rows[0]!.writers} transactions`)
  const { rows: threads } = await sql<{ version: number }>`
    select version from threads order by article_id`.execute(service.db)
  for (const [n, { id }] of comments.entries()) {
    t.match((await service.get(`/comments/${id}`)).body, { upvotes: tokens.length })
    const versions = answers
      .filter((_, at) => asked[at]!.id === id)
      .map(({ headers }) => Number(headers['thread-version']))
    t.equal(Math.max(...versions), threads[n]!.version)
  }
  t.same(await recount(service.db), [])
})

t.test('a locked thread, comment or voter delays no vote elsewhere', async (t) => {
  const service = await openService(t)
  const [held, free] = [await service.post('held', 'x'), await service.post('free', 'x')]
  const [busy, ...others] = await makeGuests(service, 4)
  const [idle, second, third] = others as [string, string, string]
  const locks = [
    sql`select pg_advisory_xact_lock(id) from threads where article_id = 'held'`,
    sql`select from comment_tallies k join threads t on t.id = k.thread_id
      where t.article_id = 'held' for no key update of k`,
  ]
  for (const [n, lock] of locks.entries()) {
    const waiting = service.db.transaction().execute(async (tx) => {
      await lock.execute(tx)
      const late = vote(service, held.id, { token: busy!, value: n === 0 ? 1 : -1 })
      const answers = await Promise.all(
        [idle, second, third].map((token) =>
          vote(service, free.id, { token, value: n === 0 ? 1 : -1 }),
        ),
      )
      t.ok(answers.every(({ status }) => status === 200))
      return { late }
    })
    const { late } = await waiting
    t.equal((await late).status, 200)
  }
  t.match((await service.get(`/comments/${held.id}`)).body, { upvotes: 0, downvotes: 1 })
  t.match((await service.get(`/comments/${free.id}`)).body, { upvotes: 0, downvotes: 3 })
  t.same(await recount(service.db), [])
})
