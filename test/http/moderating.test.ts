import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { STATUSES } from '../../src/domain/comment/status.ts'
import { findSite, insertSite } from '../../src/postgres/service/sites.ts'
import { recount } from '../recount.ts'
import { type Answer, openService, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

/** An answer in a few words: its status, and why not. */
const said = ({ status, body }: Answer): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

const asAdmin = (service: TestService) => ({
  get: (path: string) => service.get(path, { token: service.adminKey }),
  changeThread: (article: string, body: Json) =>
    service.call('PATCH', `${SITE}/articles/${article}`, { token: service.adminKey, body }),
  changeSite: (body: Json) => service.call('PATCH', SITE, { token: service.adminKey, body }),
})

const threadOf = async ({ get }: TestService, article: string): Promise<Json> =>
  (await get(`/articles/${article}`)).body

/** The tree as nested lists: a tombstone is a cross. */
const treeOf = async ({ get }: TestService, article: string): Promise<unknown> => {
  const outline = (items: Json[]): unknown =>
    items.map((c) => [
      c.body ?? '✝',
      ...(c.replies.items.length > 0 ? [outline(c.replies.items)] : []),
    ])
  return outline((await get(`/articles/${article}/comments?sort=oldest&depth=10`)).body.items)
}

/** One answer to another: `plant('a', ['root', 'reply', 'nested'])`. */
const plant = async ({ post }: TestService, article: string, bodies: string[]): Promise<Json[]> => {
  const planted: Json[] = []
  for (const body of bodies) {
    const parent = planted.at(-1)
    planted.push(await post(article, body, parent ? { parent_id: parent.id } : {}))
  }
  return planted
}

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

t.test('decideComment', async (t) => {
  const service = await openService(t)
  const { post, decide, call, adminKey } = service
  const { get } = asAdmin(service)
  const setStatus = (body: string, status: string) =>
    sql`update comments set status = ${status}::comment_status where body = ${body}`.execute(
      service.db,
    )

  const ALLOWED: Record<string, readonly string[]> = {
    pending: ['approved', 'spam', 'rejected', 'deleted'],
    approved: ['pending', 'spam', 'rejected', 'deleted'],
    spam: ['pending', 'approved', 'rejected', 'deleted'],
    rejected: ['pending', 'approved', 'spam', 'deleted'],
    deleted: ['pending', 'approved'],
  }
  const pairs = STATUSES.flatMap((from) => STATUSES.map((to) => [from, to] as const))

  t.test('decideComment makes every allowed transition and refuses each other one', async (t) => {
    for (const [from, to] of pairs) {
      const { id } = await post('moves', 'text')
      if (from !== 'approved') await decide(id, 'approved', from)
      const expected =
        from === to
          ? '400 invalid_request'
          : ALLOWED[from]!.includes(to)
            ? '201'
            : '409 move_not_allowed'
      t.equal(said(await decide(id, from, to)), expected, `${from} to ${to}`)
      const is = expected === '201' ? to : from
      t.equal(said(await get(`/comments/${id}`)), '200')
      t.equal((await get(`/comments/${id}`)).body.status, is, `${from} to ${to}: is ${is}`)
    }
    t.same(await recount(service.db), [])
  })

  t.test('decideComment refuses a moderator who saw another status', async (t) => {
    for (const [from, to] of pairs) {
      if (!ALLOWED[from]!.includes(to)) continue
      const is = STATUSES.find((status) => status !== from && status !== 'deleted')!
      const { id } = await post('conflicts', 'text')
      if (is !== 'approved') await decide(id, 'approved', is)
      t.equal(said(await decide(id, from, to)), '409 decision_conflict', `saw ${from}, is ${is}`)
    }
  })

  t.test('decideComment returns the decision and the version that shows it', async (t) => {
    const { id } = await post('answers', 'text')
    const { status, headers, body } = await decide(id, 'approved', 'spam', {
      reason: 'spam',
      note: 'Third today.\r\n',
    })
    t.equal(status, 201)
    t.equal(headers['thread-version'], String((await threadOf(service, 'answers')).version))
    t.match(body, { comment_id: id, from: 'approved', to: 'spam', reason: 'spam', caused_by: null })
    t.equal(body.note, 'Third today.\r\n')
    t.match(body.by, /^k[0-9a-z]+$/)
    t.match(body.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  t.test('decideComment between two hidden statuses changes nothing for readers', async (t) => {
    const { id } = await post('unseen', 'text')
    await post('unseen', 'another')
    await decide(id, 'approved', 'pending')
    const before = await service.get('/articles/unseen/comments')
    const { headers } = await decide(id, 'pending', 'rejected')
    t.notOk('thread-version' in headers)
    const after = await service.get('/articles/unseen/comments')
    t.same([after.text, after.headers.etag], [before.text, before.headers.etag])
  })

  t.test('decideComment names the invalid fields', async (t) => {
    const { id } = await post('faults', 'text')
    const faults: [Json, string][] = [
      [{ to: 'spam' }, '/from'],
      [{ from: 'approved' }, '/to'],
      [{ from: 'approved', to: 'gone' }, '/to'],
      [{ from: 'approved', to: 'spam', reason: 'because' }, '/reason'],
      [{ from: 'approved', to: 'spam', replies: 'all' }, '/replies'],
      [{ from: 'approved', to: 'spam', note: 'x'.repeat(2_001) }, '/note'],
      [{ from: 'approved', to: 'spam', by: 'me' }, '/by'],
    ]
    for (const [body, pointer] of faults) {
      const answer = await call('POST', `${SITE}/comments/${id}/decisions`, {
        token: adminKey,
        body,
      })
      t.equal(said(answer), '400 invalid_request', pointer)
      t.equal(answer.body.errors[0].pointer, pointer)
    }
    t.equal((await service.get(`/comments/${id}`)).body.status, 'approved')
  })

  t.test('decideComment finds only comments of its site', async (t) => {
    await insertSite(service.db, { slug: 'other', name: 'Other' })
    const { id } = await post('sites', 'text')
    const body = { from: 'approved', to: 'spam' }
    const elsewhere = await call('POST', `/v1/sites/other/comments/${id}/decisions`, {
      token: adminKey,
      body,
    })
    t.equal(said(elsewhere), '404 not_found')
    for (const wrong of ['c1-zzzz', 'c999-1', 'nonsense']) {
      t.equal(said(await decide(wrong, 'approved', 'spam')), '404 not_found', wrong)
    }
  })

  t.test('decideComment keeps the first time of publication through a restore', async (t) => {
    const { id, published_at: first } = await post('restored', 'text')
    await decide(id, 'approved', 'deleted')
    t.equal((await decide(id, 'deleted', 'approved')).status, 201)
    t.equal((await service.get(`/comments/${id}`)).body.published_at, first)
  })

  t.test('decideComment keeps replies below a tombstone', async (t) => {
    const [, middle] = await plant(service, 'keep', ['root', 'middle', 'leaf'])
    await decide(middle!.id, 'approved', 'spam')
    t.same(await treeOf(service, 'keep'), [['root', [['✝', [['leaf']]]]]])
    t.match(await threadOf(service, 'keep'), { comment_count: 2, root_count: 1 })
    await decide(middle!.id, 'spam', 'approved', { replies: 'keep' })
    t.same(await treeOf(service, 'keep'), [['root', [['middle', [['leaf']]]]]])
    t.match(await threadOf(service, 'keep'), { comment_count: 3, root_count: 1 })
  })

  t.test('decideComment cascades to replies of the same status, both ways', async (t) => {
    const [root, middle] = await plant(service, 'same', ['root', 'middle', 'leaf'])
    const spam = await post('same', 'spam', { parent_id: root!.id })
    const below = await post('same', 'below', { parent_id: spam.id })
    await post('same', 'another root')
    await decide(spam.id, 'approved', 'spam')
    t.same(await treeOf(service, 'same'), [
      [
        'root',
        [
          ['middle', [['leaf']]],
          ['✝', [['below']]],
        ],
      ],
      ['another root'],
    ])
    await decide(root!.id, 'approved', 'rejected', { replies: 'same' })
    t.same(await treeOf(service, 'same'), [['another root']])
    t.match(await threadOf(service, 'same'), { comment_count: 1, root_count: 1 })
    const statuses = async () =>
      Promise.all(
        [middle, spam, below].map(async (c) => (await get(`/comments/${c!.id}`)).body.status),
      )
    t.same(await statuses(), ['rejected', 'spam', 'rejected'])
    await decide(root!.id, 'rejected', 'approved', { replies: 'same' })
    t.same(await statuses(), ['approved', 'spam', 'approved'])
    t.same(await treeOf(service, 'same'), [
      [
        'root',
        [
          ['middle', [['leaf']]],
          ['✝', [['below']]],
        ],
      ],
      ['another root'],
    ])
    t.match(await threadOf(service, 'same'), { comment_count: 5, root_count: 2 })
  })

  t.test('decideComment cascades to nothing outside the branch', async (t) => {
    const [root, one] = await plant(service, 'branches', ['root', 'one', 'below one'])
    const two = await post('branches', 'two', { parent_id: root!.id })
    await post('branches', 'below two', { parent_id: two.id })
    await decide(one!.id, 'approved', 'spam', { replies: 'same' })
    t.same(await treeOf(service, 'branches'), [['root', [['two', [['below two']]]]]])
    t.equal((await service.get(`/comments/${root!.id}`)).body.reply_count, 1)
  })

  t.test(
    'decideComment shows a chain of tombstones when a reply below is approved late',
    async (t) => {
      const [root, middle, leaf] = await plant(service, 'late', ['root', 'middle', 'leaf'])
      for (const { id } of [leaf!, middle!, root!]) await decide(id, 'approved', 'pending')
      t.same(await treeOf(service, 'late'), [])
      await decide(leaf!.id, 'pending', 'approved')
      t.same(await treeOf(service, 'late'), [['✝', [['✝', [['leaf']]]]]])
      t.match(await threadOf(service, 'late'), { comment_count: 1, root_count: 0 })
      t.equal(
        said(
          await call('POST', `${SITE}/articles/late/comments`, {
            body: { body: 'x', author: { name: 'Ada' }, parent_id: middle!.id },
          }),
        ),
        '422 parent_not_found',
      )
      await decide(leaf!.id, 'approved', 'spam')
      t.same(await treeOf(service, 'late'), [])
    },
  )

  t.test('decideComment leaves the same tombstone for every reason', async (t) => {
    for (const to of ['pending', 'spam', 'rejected', 'deleted']) {
      const [root] = await plant(service, `why-${to}`, ['a secret', 'reply'])
      await decide(root!.id, 'approved', to, { reason: 'illegal', note: 'a note' })
      const { text, body } = await service.get(`/articles/why-${to}/comments`)
      t.match(body.items[0], {
        status: 'deleted',
        body: null,
        body_html: null,
        author: null,
        published_at: null,
      })
      t.notMatch(text, /secret|illegal|a note|Ada.*Ada/)
      t.notMatch((await service.get(`/comments/${root!.id}`)).text, /secret|illegal|Ada/)
      const { items } = (await service.get(`/articles/why-${to}/comments?view=flat`)).body
      t.same(
        items.map((c: Json) => c.body),
        ['reply'],
      )
    }
  })

  t.test('decideComment keeps every count right', async (t) =>
    t.same(await recount(service.db), []),
  )

  t.test('decideComment loses no reply that the recount would miss', async (t) => {
    await post('control', 'corrupted')
    await setStatus('corrupted', 'spam')
    t.not((await recount(service.db)).length, 0)
  })
})

t.test('listDecisions', async (t) => {
  const service = await openService(t)
  const { post, decide, db } = service
  const { get } = asAdmin(service)
  const list = async (query = ''): Promise<Json[]> =>
    (await get(`/moderation/decisions${query}`)).body.items

  t.test('listDecisions shows each decision once, latest first, with its cascade', async (t) => {
    const [root, reply] = await plant(service, 'a', ['root', 'reply'])
    const one = (
      await decide(root!.id, 'approved', 'spam', { reason: 'spam', note: 'n', replies: 'same' })
    ).body
    const two = (await decide(reply!.id, 'spam', 'approved')).body
    const [third, second, first, ...more] = await list()
    t.same([first, third], [one, two])
    t.match(second!, {
      comment_id: reply!.id,
      from: 'approved',
      to: 'spam',
      reason: 'spam',
      note: 'n',
    })
    t.match(second!, { caused_by: one.id, by: one.by, at: one.at })
    t.same(more, [])
    t.same(await list(`?comment_id=${reply!.id}`), [third, second])
    t.same(await list('?comment_id=nonsense'), [])
  })

  t.test('listDecisions shows nothing of refused decisions', async (t) => {
    const { id } = await post('b', 'text')
    await decide(id, 'spam', 'approved')
    await decide(id, 'approved', 'approved')
    await decide(id, 'deleted', 'spam')
    t.same(await list(`?comment_id=${id}`), [])
  })

  t.test('listDecisions tells the keys of two moderators apart', async (t) => {
    const { id } = await post('c', 'text')
    const [one, two] = [await service.makeKey('moderate'), await service.makeKey('moderate')]
    const as = (token: string, from: string, to: string) =>
      service.call('POST', `${SITE}/comments/${id}/decisions`, { token, body: { from, to } })
    const made = [await as(one, 'approved', 'spam'), await as(two, 'spam', 'approved')]
    t.not(made[0]!.body.by, made[1]!.body.by)
  })

  t.test('listDecisions is walked page by page', async (t) => {
    const all = (await list()).map(({ id }) => id)
    const seen: string[] = []
    for (let cursor = ''; ; ) {
      const { body } = await get(`/moderation/decisions?limit=2${cursor}`)
      seen.push(...body.items.map((d: Json) => d.id))
      if (body.next_cursor === null) break
      cursor = `&cursor=${body.next_cursor}`
    }
    t.same(seen, all)
  })

  t.test('decisions are append-only: the database refuses all else', async (t) => {
    const before = await list()
    for (const statement of [
      'update decisions set note = null',
      'delete from decisions',
      'truncate decisions',
    ]) {
      await t.rejects(sql.raw(statement).execute(db), { message: /append-only/ }, statement)
    }
    t.same(await list(), before)
  })
})

t.test('updateThread', async (t) => {
  const service = await openService(t)
  const { post, get } = service
  const { changeThread } = asAdmin(service)

  t.test('updateThread changes the named fields and returns the thread', async (t) => {
    await post('a', 'text')
    const closes_at = '2100-01-02T03:04:05.678Z'
    const changes: [Json, Json?][] = [
      [{ title: ' Title ' }, { title: 'Title' }],
      [{ url: 'https://a.example/x' }],
      [{ closes_at }],
      [{ moderation: 'pre' }],
      [{ state: 'locked' }],
      [{ title: null, url: null, closes_at: null, moderation: 'site', state: 'open' }],
    ]
    let expected: Json = {
      article_id: 'a',
      title: null,
      url: null,
      state: 'open',
      closes_at: null,
      moderation: 'site',
      comment_count: 1,
    }
    let version = 0
    for (const [change, becomes = change] of changes) {
      const { status, headers, body } = await changeThread('a', change)
      expected = { ...expected, ...becomes }
      t.match({ status, ...body }, { status: 200, ...expected }, JSON.stringify(change))
      const isSeen = change.moderation === undefined || change.state !== undefined
      t.equal(body.version > version, isSeen, 'what no reader sees changes no version')
      t.equal(headers['thread-version'], String(body.version))
      version = body.version
      const { title, url, state } = expected
      t.match(await threadOf(service, 'a'), { title, url, state, version })
    }
  })

  t.test('updateThread creates an absent thread', async (t) => {
    const { status, body } = await changeThread('absent', { state: 'closed', title: 'Soon' })
    t.match({ status, body }, { status: 200, body: { state: 'closed', comment_count: 0 } })
    t.match(await threadOf(service, 'absent'), { state: 'closed', title: 'Soon', comment_count: 0 })
  })

  t.test('updateThread hides a thread as if it were absent, and restores it', async (t) => {
    const root = await post('hidden', 'a secret', { article: { title: 'T' } })
    await post('hidden', 'reply', { parent_id: root.id })
    const paths = ['/articles/hidden', '/articles/hidden/comments', '/counts?article_id=hidden']
    const before = await Promise.all(paths.map((path) => get(path)))
    t.equal((await changeThread('hidden', { state: 'hidden' })).status, 200)
    for (const path of paths) {
      const { text } = await get(path.replaceAll('hidden', 'never'))
      t.equal((await get(path)).text, text.replaceAll('never', 'hidden'), path)
    }
    t.equal(said(await get(`/comments/${root.id}`)), '404 not_found')
    t.equal(said(await get(`/comments/${root.id}/replies`)), '404 not_found')
    t.notMatch((await get('/comments')).text, 'secret')
    t.notMatch((await get('/articles')).text, '"hidden"')
    await changeThread('hidden', { state: 'open' })
    const versionless = ({ text }: Answer) => text.replace(/"version":\d+/g, '')
    t.same(
      (await Promise.all(paths.map((path) => get(path)))).map(versionless),
      before.map(versionless),
    )
  })

  t.test('updateThread closes a thread when its closing time has come', async (t) => {
    await changeThread('timed', { closes_at: new Date(Date.now() - 1).toISOString() })
    t.equal((await threadOf(service, 'timed')).state, 'closed')
    await changeThread('timed', { closes_at: null })
    t.equal((await threadOf(service, 'timed')).state, 'open')
  })

  t.test('updateThread names the invalid fields', async (t) => {
    const faults: [Json, string][] = [
      [{}, ''],
      [{ state: 'shut' }, '/state'],
      [{ state: null }, '/state'],
      [{ title: '' }, '/title'],
      [{ title: 'a\nb' }, '/title'],
      [{ url: 'javascript:x' }, '/url'],
      [{ closes_at: 'tomorrow' }, '/closes_at'],
      [{ closes_at: '2026-13-01T00:00:00Z' }, '/closes_at'],
      [{ closes_at: '2016-12-31T23:59:60Z' }, '/closes_at'],
      [{ closes_at: 0 }, '/closes_at'],
      [{ moderation: 'never' }, '/moderation'],
      [{ comment_count: 3 }, '/comment_count'],
    ]
    for (const [change, pointer] of faults) {
      const answer = await changeThread('faults', change)
      t.equal(said(answer), '400 invalid_request', JSON.stringify(change))
      t.equal(answer.body.errors?.[0].pointer, pointer, JSON.stringify(change))
    }
  })

  t.test('updateThread takes every time that it can return', async (t) => {
    for (const closes_at of [
      '0001-01-01T00:00:00Z',
      '9999-12-31T23:59:59.999Z',
      '2026-01-01T00:00:00+05:30',
    ]) {
      const { status, body } = await changeThread('times', { closes_at })
      t.match(
        { status, at: body.closes_at },
        { status: 200, at: new Date(closes_at).toISOString() },
        closes_at,
      )
    }
    const outside = await changeThread('times', { closes_at: '9999-12-31T23:59:59-23:59' })
    const noYear = await changeThread('times', { closes_at: '0000-12-31T23:59:59Z' })
    t.equal(said(noYear), '400 invalid_request', 'Postgres has no year 0')
    t.equal(said(outside), '400 invalid_request')
  })

  t.test('updateThread keeps every count right', async (t) => t.same(await recount(service.db), []))
})

t.test('getSite and updateSite', async (t) => {
  const service = await openService(t)
  const { get, changeSite } = asAdmin(service)

  t.test('getSite returns all settings, and updateSite changes the named ones', async (t) => {
    const fresh = (await get('')).body
    t.match(fresh, {
      slug: 'default',
      name: 'Default',
      origins: ['*'],
      moderation: 'post',
      who_may_post: 'anyone',
    })
    t.match(fresh, { login_url: null, edit_window_seconds: 300, max_depth: 100, version: 1 })
    const changes: Json[] = [
      { name: 'My site' },
      { origins: ['https://a.example', 'http://localhost:3000'] },
      { moderation: 'pre' },
      { who_may_post: 'members', login_url: 'https://a.example/login' },
      { edit_window_seconds: 0, max_depth: 0 },
      { login_url: null, origins: [] },
    ]
    let expected = fresh
    for (const change of changes) {
      const { status, body } = await changeSite(change)
      expected = { ...expected, ...change, version: expected.version + 1 }
      t.same({ status, body }, { status: 200, body: expected }, JSON.stringify(change))
      t.same((await get('')).body, expected)
    }
  })

  t.test('updateSite takes exact origins only', async (t) => {
    const bad = [
      'https://a.example/',
      'a.example',
      'https://*.a.example',
      'null',
      'HTTPS://A.example',
      'https://a.example:443',
      'ftp://a.example',
      'https://u@a.example',
      '',
      'file://',
    ]
    for (const origin of bad) {
      const answer = await changeSite({ origins: [origin] })
      t.equal(said(answer), '400 invalid_request', origin)
      t.equal(answer.body.errors?.[0].pointer, '/origins', origin)
    }
    t.equal(said(await changeSite({ origins: ['*', 'https://a.example'] })), '400 invalid_request')
    t.equal(said(await changeSite({ origins: ['*'] })), '200')
  })

  t.test('updateSite names the invalid fields', async (t) => {
    const faults: [Json, string][] = [
      [{}, ''],
      [{ name: '' }, '/name'],
      [{ moderation: 'site' }, '/moderation'],
      [{ who_may_post: 'all' }, '/who_may_post'],
      [{ login_url: 'x' }, '/login_url'],
      [{ edit_window_seconds: -1 }, '/edit_window_seconds'],
      [{ edit_window_seconds: 1.5 }, '/edit_window_seconds'],
      [{ max_depth: 401 }, '/max_depth'],
      [{ max_depth: '3' }, '/max_depth'],
      [{ slug: 'other' }, '/slug'],
    ]
    for (const [change, pointer] of faults) {
      const answer = await changeSite(change)
      t.equal(said(answer), '400 invalid_request', JSON.stringify(change))
      t.equal(answer.body.errors?.[0].pointer, pointer, JSON.stringify(change))
    }
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
      { from: 'spam', to: 'approved' },
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
