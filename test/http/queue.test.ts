import { sql } from 'kysely'
import t from 'tap'
import { openService, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

/** A site with so many held comments, called `0`, `1`, …; more than a page looks at, if need be. */
const hold = async (service: TestService, count: number): Promise<void> => {
  await service.post('a', 'x')
  // Some at a time: a statement has so long.
  for (let at = 0; at < count; at += 1_000)
    await sql`
      insert into comments (site_id, thread_id, author_id, status, created_at, active_at, body,
        body_html, renderer, risk, flag_count, screening)
      select site_id, thread_id, author_id, 'pending', created_at, active_at, n, '<p>y</p>', 1, n % 101,
        0, case when n % 3000 = 0 then '[{"rule": "rare", "says": "pending", "evidence": "e"}]'::jsonb end
      from comments, generate_series(${at}::int, ${Math.min(at + 1_000, count) - 1}::int) n
      where status = 'approved'`.execute(service.db)
}

const openQueue = (service: TestService, token = service.adminKey) => {
  const list = async (query = ''): Promise<Json> =>
    (await service.get(`/moderation/comments?${query}`, { token })).body
  return {
    list,
    bodies: async (query = '') => (await list(query)).items.map(({ body }: Json) => body),
    /** Page after page to the end. */
    walk: async (query: string): Promise<{ bodies: string[]; pages: number }> => {
      const bodies: string[] = []
      let cursor = ''
      for (let pages = 1; ; pages++) {
        const { items, next_cursor: next } = await list(`${query}${cursor}`)
        bodies.push(...items.map(({ body }: Json) => body))
        if (!next) return { bodies, pages }
        cursor = `&cursor=${next}`
      }
    },
    claim: async (body: Json): Promise<Json> =>
      (await service.call('POST', `${SITE}/moderation/claims`, { token, body })).body,
    release: (id?: string) =>
      service.call('DELETE', `${SITE}/moderation/claims${id ? `?comment_id=${id}` : ''}`, {
        token,
      }),
  }
}

const ids = ({ items }: Json): string[] => items.map(({ id }: Json) => id)

t.test('listQueue finds rare comments page after page in every order', async (t) => {
  const service = await openService(t)
  await hold(service, 9_500)
  const { walk } = openQueue(service)
  const rare = ['0', '3000', '6000', '9000']
  for (const sort of ['oldest', 'newest', 'flags', 'risk']) {
    const byRule = await walk(`rule=rare&limit=3&sort=${sort}`)
    t.same(byRule.bodies.toSorted(), rare, `by rule, ${sort}`)
    t.ok(byRule.pages >= 3, 'a page ends when it has looked at enough')
    const byText = await walk(`q=000&status=pending&status=spam&limit=2&sort=${sort}`)
    const expected = Array.from({ length: 9_500 }, (_, n) => String(n)).filter((n) =>
      n.includes('000'),
    )
    t.same(byText.bodies.toSorted(), expected.toSorted(), `by text, ${sort}`)
    t.equal(new Set(byText.bodies).size, byText.bodies.length)
  }
  const oldest = await walk('rule=rare&limit=3')
  t.same(oldest.bodies, rare)
  t.same((await walk('rule=rare&limit=3&sort=newest')).bodies, rare.toReversed())
  t.same((await walk('rule=unheard')).bodies, [])
})

t.test(
  'listQueue by risk shows the riskiest first, and of approved comments those with flags',
  async (t) => {
    const service = await openService(t)
    await hold(service, 250)
    const { list, walk } = openQueue(service)
    const { bodies } = await walk('sort=risk&limit=7')
    t.equal(bodies.length, 250)
    t.same(
      bodies.map((n) => Number(n) % 101),
      bodies.map((n) => Number(n) % 101).toSorted((a, b) => b - a),
    )
    const refused = await list('sort=risk&status=approved')
    t.match(refused, { code: 'invalid_request', errors: [{ parameter: 'sort' }] })
    await sql`update comments set flag_count = 1, risk = 7 where status = 'approved'`.execute(
      service.db,
    )
    t.same((await walk('sort=risk&flagged=true')).bodies, ['x'])
  },
)

t.test('listQueue finds comments of one article or author without a scan', async (t) => {
  const service = await openService(t)
  await hold(service, 9_000)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  const { author } = await service.post('b', 'of another')
  const { list, bodies } = openQueue(service)
  t.match(await list('article_id=b'), { items: [{ body: 'of another' }], next_cursor: null })
  t.match(await list(`author_id=${author.id}`), { items: [{}], next_cursor: null })
  t.same(await bodies('author_id=nonsense'), [])
  t.same(await bodies('article_id=unheard'), [])
  t.same(await bodies('until=2020-01-01T00:00:00Z'), [])
})

t.test(
  'claimComments claims the next free comment, shown to all until it is decided',
  async (t) => {
    const service = await openService(t)
    await hold(service, 6)
    const other = await service.makeKey('moderate')
    const mine = openQueue(service)
    const theirs = openQueue(service, other)
    const first = await mine.claim({ limit: 2, seconds: 60 })
    t.same(
      first.items.map(({ body }: Json) => body),
      ['0', '1'],
    )
    t.match(first.items[0].claim, { by: String, until: first.claimed_until })
    const next = await theirs.claim({ limit: 2, filter: { article_id: 'a' }, sort: 'newest' })
    t.same(
      next.items.map(({ body }: Json) => body),
      ['5', '4'],
    )
    t.same(await mine.bodies('claimed=mine'), ['0', '1'])
    t.same(await mine.bodies('claimed=free'), ['2', '3'])
    t.same(await theirs.bodies('claimed=mine&sort=newest'), ['5', '4'])
    t.equal((await theirs.list()).items.filter(({ claim }: Json) => claim).length, 4)
    const [one, two] = ids(first)
    t.same((await theirs.claim({ comment_ids: [one] })).items, [], 'it is somebody else’s')
    const longer = await mine.claim({ comment_ids: [one, 'czz-zz'], seconds: 3600 })
    t.same(ids(longer), [one])
    t.ok(longer.claimed_until > first.claimed_until)
    t.equal((await service.decide(one!, 'pending', 'spam')).status, 201)
    t.same(await mine.bodies('claimed=mine'), ['1'])
    t.equal((await theirs.release(two)).status, 204)
    t.same(await mine.bodies('claimed=mine'), ['1'], 'only what is one’s own')
    t.equal((await mine.release()).status, 204)
    t.same(await mine.bodies('claimed=mine'), [])
    await sql`update claims set claimed_until = now()`.execute(service.db)
    t.same(await theirs.bodies('claimed=free'), ['1', '2', '3', '4', '5'], 'the time is over')
    t.match(await mine.claim({ comment_ids: [ids(next)[0]] }), { items: [{ body: '5' }] })
  },
)

t.test('claimComments never gives two moderators the same comment', async (t) => {
  const service = await openService(t)
  await hold(service, 60)
  const moderators = [
    service.adminKey,
    await service.makeKey('moderate'),
    await service.makeKey('moderate'),
  ]
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) => openQueue(service, moderators[n % 3]).claim({ limit: 5 })),
  )
  const all = answers.flatMap(ids)
  t.equal(all.length, 60)
  t.equal(new Set(all).size, 60)
  t.match(await openQueue(service).claim({}), { items: [], claimed_until: null })
})

t.test(
  'claimComments refuses malformed requests and has one effect per Idempotency-Key',
  async (t) => {
    const service = await openService(t)
    await hold(service, 9)
    const { claim } = openQueue(service)
    t.match(await claim({ comment_ids: ['x'] }), { errors: [{ pointer: '/comment_ids/0' }] })
    t.match(await claim({ comment_ids: ['c1-1'], limit: 3 }), { errors: [{ pointer: '' }] })
    t.match(await claim({ sort: 'risk', filter: { status: ['approved'] } }), {
      errors: [{ pointer: '/sort' }],
    })
    const once = () =>
      service.call('POST', `${SITE}/moderation/claims`, {
        token: service.adminKey,
        body: { limit: 2 },
        headers: { 'idempotency-key': 'a-key-for-two-comments' },
      })
    t.same(ids((await once()).body), ids((await once()).body))
  },
)
