import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { Position } from '../../src/domain/comment/sort.ts'
import { STATUSES } from '../../src/domain/comment/status.ts'
import { findSite, insertSite } from '../../src/postgres/service/sites.ts'
import { claimComments } from '../../src/usecases/queue/claims.ts'
import { ABSENT } from '../ids.ts'
import { type Answer, openService, type TestService } from '../service.ts'
import { FILL_TALLIES } from '../tallies.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

/** A site with so many held comments, called `0`, `1`, …; more than a page looks at, if need be. */
const hold = async (service: TestService, count: number): Promise<void> => {
  await service.post('a', 'x')
  // Some at a time: a statement has so long.
  for (let at = 0; at < count; at += 1_000)
    await sql`
      insert into comments (site_id, thread_id, author_id, status, created_at, body,
        body_html, renderer, risk, flag_count, screening)
      select site_id, thread_id, author_id, 'pending', created_at, n, '<p>y</p>', 1, n % 101,
        0, case when n % 3000 = 0 then '[{"rule": "shouting", "says": "pending", "evidence": "e"}]'::jsonb end
      from comments, generate_series(${at}::int, ${Math.min(at + 1_000, count) - 1}::int) n
      where status = 'approved'`.execute(service.db)
  await sql.raw(FILL_TALLIES).execute(service.db)
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
    const byRule = await walk(`rule=shouting&limit=3&sort=${sort}`)
    t.same(byRule.bodies.toSorted(), rare, `by rule, ${sort}`)
    t.ok(byRule.pages >= 3, 'a page ends when it has looked at enough')
    const byText = await walk(`q=000&status=pending&status=spam&limit=2&sort=${sort}`)
    const expected = Array.from({ length: 9_500 }, (_, n) => String(n)).filter((n) =>
      n.includes('000'),
    )
    t.same(byText.bodies.toSorted(), expected.toSorted(), `by text, ${sort}`)
    t.equal(new Set(byText.bodies).size, byText.bodies.length)
  }
  const oldest = await walk('rule=shouting&limit=3')
  t.same(oldest.bodies, rare)
  t.same((await walk('rule=shouting&limit=3&sort=newest')).bodies, rare.toReversed())
  t.same((await walk('rule=length')).bodies, [])
})

t.test('listQueue finds what follows 2,000 comments of one status beside another', async (t) => {
  const service = await openService(t)
  await hold(service, 2_515)
  await sql`
    update comments set body = case when body::int >= 2500 then 'needle' else body end,
      status = case when body::int >= 2503 then 'spam' else status end
    where status = 'pending'`.execute(service.db)
  const { bodies, pages } = await openQueue(service).walk(
    'status=pending&status=spam&q=needle&limit=5',
  )
  t.equal(bodies.length, 15)
  t.ok(pages <= 5, `${pages} pages`)
})

t.test('a rule that the site cannot have is refused, and its own checks are known', async (t) => {
  const service = await openService(t)
  const { list, claim } = openQueue(service)
  t.match(await list('rule=unheard'), { status: 400, errors: [{ parameter: 'rule' }] })
  t.match(await list('rule=checks.mine'), { status: 400, errors: [{ parameter: 'rule' }] })
  t.match(await claim({ filter: { rule: 'x' } }), { errors: [{ pointer: '/filter/rule' }] })
  const check = [{ name: 'mine', kind: 'akismet', blog: 'https://blog.example', key: 'k' }]
  await sql`update sites set checks = ${JSON.stringify(check)}::jsonb`.execute(service.db)
  for (const rule of ['ban', 'moderation_mode', 'links'])
    t.match(await list(`rule=${rule}`), { items: [] }, rule)
})

t.test('claimComments returns where its search stopped, and searches on from there', async (t) => {
  const service = await openService(t)
  await hold(service, 60)
  const { claim, list } = openQueue(service)
  const site = (await findSite(service.db, 'default'))!
  const search = (after: Position | null) =>
    claimComments(service, {
      site,
      moderator: { kind: 'key', keyId: 1, scope: 'admin', siteId: null },
      // The search ends after 20 pages.
      wanted: {
        filter: { statuses: ['pending'], q: '59' },
        sort: 'oldest',
        after,
        limit: 2,
        maxScanned: 2,
      },
      seconds: 60,
      idempotencyKey: undefined,
    })
  const first = await search(null)
  t.match(first, { items: [], until: null, next: [0, Number] })
  t.match(await search(first.next), { items: [{ body: '59' }], until: String, next: null })
  t.match(await claim({ limit: 2 }), { items: [{}, {}], next_cursor: null })
  const { next_cursor: cursor } = await list('limit=1')
  t.match(await claim({ limit: 2, cursor }), { code: 'invalid_cursor' })
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
    const longer = await mine.claim({ comment_ids: [one, ABSENT], seconds: 3600 })
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
    t.match(await claim({ comment_ids: [ABSENT], limit: 3 }), { errors: [{ pointer: '' }] })
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

/** An answer in a few words: its status, and why not. */
const said = ({ status, body }: Answer): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

const asAdmin = (service: TestService) => ({
  get: (path: string) => service.get(path, { token: service.adminKey }),
  changeThread: (article: string, body: Json) =>
    service.call('PATCH', `${SITE}/articles/${article}`, { token: service.adminKey, body }),
  changeSite: (body: Json) => service.call('PATCH', SITE, { token: service.adminKey, body }),
})

t.test('listQueue and countQueue', async (t) => {
  const service = await openService(t)
  const { post, decide } = service
  const { get, changeSite } = asAdmin(service)
  await changeSite({ moderation: 'pre' })
  const author = { name: 'Ada', email: 'ada@example.org' }
  const one = await post('a', 'One 100%', { author, article: { title: 'T' } })
  const two = await post('b', 'two_2')
  const three = await post('a', 'three\\', {}, { token: one.guest_token })
  const four = await post('b', 'FOUR')
  await decide(two.id, 'pending', 'spam')
  await decide(four.id, 'pending', 'approved')
  const names = new Map([one, two, three, four].map((c, n) => [c.id, n + 1]))
  const listed = async (query: string) =>
    (await get(`/moderation/comments${query}`)).body.items.map((c: Json) => names.get(c.id))

  t.test('listQueue shows pending comments by arrival, with fields for moderators', async (t) => {
    const { headers, body } = await get('/moderation/comments')
    t.equal(headers['cache-control'], 'private, no-store')
    t.same(
      body.items.map((c: Json) => c.id),
      [one.id, three.id],
    )
    t.match(body.items[0], {
      status: 'pending',
      body: 'One 100%',
      email: 'ada@example.org',
      network: '127.0.0.0/24',
    })
    t.match(body.items[0], {
      article: { id: 'a', title: null },
      trace: [{ rule: 'moderation_mode', says: 'pending' }],
    })
    t.equal(body.next_cursor, null)
  })

  t.test('listQueue filters by rule, author and text', async (t) => {
    const all = STATUSES.map((status) => `status=${status}`).join('&')
    const filters: [string, number[]][] = [
      ['?status=spam', [2]],
      ['?status=approved', [4]],
      ['?status=rejected', []],
      ['?status=spam&status=pending', [1, 2, 3]],
      [`?${all}`, [1, 2, 3, 4]],
      [`?${all}&sort=newest`, [4, 3, 2, 1]],
      [`?${all}&article_id=b`, [2, 4]],
      ['?article_id=absent', []],
      [`?author_id=${one.author.id}`, [1, 3]],
      ['?author_id=a999', []],
      ['?author_id=nonsense', []],
      [`?${all}&q=four`, [4]],
      [`?${all}&q=%25`, [1]],
      [`?${all}&q=_`, [2]],
      [`?${all}&q=%5C`, [3]],
      [`?${all}&q=o`, [1, 2, 4]],
      [`?status=pending&article_id=a&author_id=${one.author.id}&q=three`, [3]],
    ]
    for (const [query, expected] of filters) t.same(await listed(query), expected, query)
  })

  t.test('listQueue is walked page by page in both orders', async (t) => {
    const all = STATUSES.map((status) => `status=${status}`).join('&')
    for (const [sort, expected] of [
      ['oldest', [1, 2, 3, 4]],
      ['newest', [4, 3, 2, 1]],
    ] as const) {
      for (const limit of [1, 2, 3, 4]) {
        const seen: unknown[] = []
        for (let cursor = ''; ; ) {
          const { body } = await get(
            `/moderation/comments?${all}&sort=${sort}&limit=${limit}${cursor}`,
          )
          seen.push(...body.items.map((c: Json) => names.get(c.id)))
          if (body.next_cursor === null) break
          cursor = `&cursor=${body.next_cursor}`
        }
        t.same(seen, expected, `${sort} by ${limit}`)
      }
    }
  })

  t.test('listQueue binds a cursor to its filters', async (t) => {
    const { next_cursor: cursor } = (await get('/moderation/comments?limit=1')).body
    t.equal(said(await get(`/moderation/comments?cursor=${cursor}&limit=50`)), '200')
    for (const query of [
      '&status=spam',
      '&sort=newest',
      '&q=x',
      '&article_id=a',
      '&author_id=a1',
    ]) {
      t.equal(
        said(await get(`/moderation/comments?cursor=${cursor}${query}`)),
        '400 invalid_cursor',
        query,
      )
    }
    t.equal(said(await get(`/moderation/decisions?cursor=${cursor}`)), '400 invalid_cursor')
  })

  t.test('listQueue refuses unknown parameters', async (t) => {
    for (const query of [
      '?status=odd',
      '?sort=loudest',
      '?flagged=1',
      '?limit=0',
      '?limit=101',
      '?q=',
      '?x=1',
      '?q=a&q=b',
    ]) {
      t.equal(said(await get(`/moderation/comments${query}`)), '400 invalid_request', query)
    }
  })

  t.test('countQueue counts each status, zeros included', async (t) => {
    const expected = { pending: 2, approved: 1, spam: 1, rejected: 0, deleted: 0 }
    t.same((await get('/moderation/counts')).body, expected)
    await decide(four.id, 'approved', 'deleted')
    t.same((await get('/moderation/counts')).body, { ...expected, approved: 0, deleted: 1 })
  })

  t.test('listQueue and countQueue show nothing of another site', async (t) => {
    await insertSite(service.db, { slug: 'other', name: 'Other' })
    const other = (path: string) =>
      service.call('GET', `/v1/sites/other${path}`, { token: service.adminKey })
    const all = STATUSES.map((status) => `status=${status}`).join('&')
    t.same((await other(`/moderation/comments?${all}`)).body.items, [])
    t.same((await other(`/moderation/comments?${all}&author_id=${one.author.id}`)).body.items, [])
    t.same((await other('/moderation/decisions')).body.items, [])
    t.same(new Set(Object.values((await other('/moderation/counts')).body)), new Set([0]))
  })
})

t.test('every moderation operation refuses callers without its right', async (t) => {
  const service = await openService(t)
  const { call, makeKey, post, adminKey, db } = service
  await insertSite(db, { slug: 'other', name: 'Other' })
  const [here, other] = [await findSite(db, 'default'), await findSite(db, 'other')]
  const outdated = async (column: string) => {
    const key = await makeKey('admin')
    const hash = createHash('sha256').update(key).digest()
    await sql`update api_keys set ${sql.ref(column)} = now() - interval '1 second' where hash = ${hash}`.execute(
      db,
    )
    return key
  }
  const { id } = await post('a', 'by somebody else')
  const CALLERS = {
    nobody: undefined,
    guest: (await post('a', 'text')).guest_token,
    read: await makeKey('read'),
    moderate: await makeKey('moderate'),
    'moderate here': await makeKey('moderate', here!.id),
    admin: adminKey,
    'admin elsewhere': await makeKey('admin', other!.id),
    expired: await outdated('expires_at'),
    revoked: await outdated('revoked_at'),
    unknown: 'x'.repeat(40),
    nonsense: 'Ada',
  }
  type Caller = keyof typeof CALLERS

  const BAD = { 'admin elsewhere': 403, expired: 401, revoked: 401, unknown: 401, nonsense: 401 }
  const everybody = (status: number) => ({
    nobody: status,
    guest: status,
    read: status,
    moderate: status,
    'moderate here': status,
    admin: status,
    ...BAD,
  })
  const writers = (status: number) => ({ ...everybody(status), read: 403 })
  const moderators = (status: number) => ({
    ...everybody(status),
    nobody: 401,
    guest: 403,
    read: 403,
  })
  const admins = (status: number) => ({
    ...moderators(status),
    moderate: 403,
    'moderate here': 403,
  })

  const OPERATIONS: [string, string, string, unknown, Record<Caller, number>][] = [
    ['getThread', 'GET', '/articles/a', undefined, everybody(200)],
    ['listThread', 'GET', '/articles/a/comments', undefined, everybody(200)],
    ['getComment', 'GET', `/comments/${id}`, undefined, everybody(200)],
    ['listReplies', 'GET', `/comments/${id}/replies`, undefined, everybody(200)],
    ['listRecent', 'GET', '/comments', undefined, everybody(200)],
    ['countComments', 'GET', '/counts?article_id=a', undefined, everybody(200)],
    ['getSiteConfig', 'GET', '/config', undefined, everybody(200)],
    ['previewComment', 'POST', '/preview', { body: 'x' }, everybody(200)],
    [
      'postComment',
      'POST',
      '/articles/a/comments',
      { body: 'x', author: { name: 'Bo' } },
      writers(201),
    ],
    ['createGuest', 'POST', '/guests', { name: 'Bo' }, writers(201)],
    ['editComment', 'PATCH', `/comments/${id}`, { body: 'x' }, moderators(200)],
    // Everybody who may decide comes too late.
    [
      'decideComment',
      'POST',
      `/comments/${id}/decisions`,
      { from: 'spam', to: 'approved', revision: 1 },
      moderators(409),
    ],
    ['listQueue', 'GET', '/moderation/comments', undefined, moderators(200)],
    ['countQueue', 'GET', '/moderation/counts', undefined, moderators(200)],
    ['listDecisions', 'GET', '/moderation/decisions', undefined, moderators(200)],
    ['updateThread', 'PATCH', '/articles/a', { title: 'T' }, moderators(200)],
    ['getSite', 'GET', '', undefined, admins(200)],
    ['updateSite', 'PATCH', '', { name: 'N' }, admins(200)],
    ['deleteComment', 'DELETE', `/comments/${id}`, undefined, moderators(204)],
  ]
  for (const [operation, method, path, body, expected] of OPERATIONS) {
    t.test(operation, async (t) => {
      const statuses: Record<string, number> = {}
      for (const [caller, token] of Object.entries(CALLERS)) {
        const answer = await call(method, `${SITE}${path}`, { token, body })
        statuses[caller] = answer.status
        if (answer.status === 401)
          t.equal(answer.body.code, token ? 'invalid_token' : 'login_required')
        if (token) t.match(answer.headers['cache-control'], /no-store/, caller)
      }
      t.same(statuses, expected)
    })
  }
})
