import { sql } from 'kysely'
import t from 'tap'
import { STATUSES } from '../../src/domain/comment/status.ts'
import { insertSite } from '../../src/postgres/service/sites.ts'
import { ABSENT } from '../ids.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { FILL_TALLIES } from '../tallies.ts'
import { hold, openActing, said } from './moderator.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

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
    t.match(body.by, /^k[\w-]{22}$/)
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
    for (const wrong of [ABSENT, 'c1-1', 'nonsense']) {
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

t.test('decideMany returns an outcome for each comment, in the order of the request', async (t) => {
  const service = await openService(t)
  const { decideMany, decisions, statusOf, thread } = openActing(service)
  const [one, two, three, four] = await hold(service, 4)
  await service.decide(two!, 'pending', 'spam')
  await service.decide(three!, 'pending', 'deleted')
  const comment_ids = [four, ABSENT, three, two, one]
  const answer = await decideMany({ comment_ids, from: 'pending', to: 'approved', note: 'n' })
  t.equal(answer.status, 200)
  t.match(answer.body, {
    batch: { kind: 'decide', to: 'approved', undoes: null, total: 5, done: 5, changed: 2 },
    total: 5,
    outcomes: { changed: 2, decision_conflict: 2, not_found: 1, unchanged: 0 },
  })
  t.match(answer.body.batch, { ended_at: String })
  t.same(
    answer.body.items.map((item: Json) => [item.comment_id, item.outcome]),
    [
      [four, 'changed'],
      [ABSENT, 'not_found'],
      [three, 'decision_conflict'],
      [two, 'decision_conflict'],
      [one, 'changed'],
    ],
  )
  t.same(await statusOf(), { 0: 'approved', 1: 'spam', 2: 'deleted', 3: 'approved' })
  const made = (await decisions()).filter(({ batch_id: id }) => id === answer.body.batch.id)
  t.match(made, [
    { to: 'approved', note: 'n' },
    { to: 'approved', note: 'n' },
  ])
  t.same(
    new Set(made.map(({ id }) => id)),
    new Set(answer.body.items.flatMap(({ decision_id: id }: Json) => id ?? [])),
  )
  t.match([await thread('a'), await thread('b')], [{ comment_count: 1 }, { comment_count: 1 }])
  const again = await decideMany({ comment_ids: [one, two, three], to: 'spam' })
  t.same(
    again.body.items.map(({ outcome }: Json) => outcome),
    ['changed', 'unchanged', 'move_not_allowed'],
  )
  t.same(await recount(service.db), [])
})

t.test('decideMany decides what a filter finds, if the count is as expected', async (t) => {
  const service = await openService(t)
  const { decideMany, statusOf } = openActing(service)
  await hold(service, 6)
  const filter = { article_id: 'a', q: '4' }
  const refused = await decideMany({ filter, expected_count: 2, to: 'spam' })
  t.equal(said(refused), '409 decision_conflict')
  t.match(refused.body.errors, [{ pointer: '/expected_count', detail: 'there are 1 comments' }])
  t.equal((await decideMany({ filter, expected_count: 1, to: 'spam' })).status, 200)
  const rest = { filter: { status: ['spam', 'pending'] }, expected_count: 6, to: 'rejected' }
  t.match((await decideMany(rest)).body.outcomes, { changed: 6 })
  t.same(new Set(Object.values(await statusOf())), new Set(['rejected']))
  const past = { status: ['rejected'], until: '2020-01-01T00:00:00Z' }
  t.match((await decideMany({ filter: past, dry_run: true, to: 'spam' })).body, { total: 0 })
  const rule = { status: ['rejected'], rule: 'moderation_mode' }
  t.match((await decideMany({ filter: rule, dry_run: true, to: 'spam' })).body, { total: 6 })
  const other = { ...rule, rule: 'words' }
  t.match((await decideMany({ filter: other, dry_run: true, to: 'spam' })).body, { total: 0 })
})

t.test('decideMany: a dry run returns each outcome and stores nothing', async (t) => {
  const service = await openService(t)
  const { decideMany, decisions, send, statusOf } = openActing(service)
  const [one, two] = await hold(service, 2)
  await service.decide(two!, 'pending', 'deleted')
  const before = [await statusOf(), await decisions()]
  const run = { comment_ids: [one, two, ABSENT], to: 'spam', dry_run: true }
  const { status, body } = await decideMany(run, 'a-key-for-a-dry-run')
  t.equal(status, 200)
  t.match(body, {
    batch: null,
    total: 3,
    outcomes: { changed: 1, move_not_allowed: 1, not_found: 1 },
  })
  t.same(
    body.items.map((item: Json) => [item.outcome, item.decision_id]),
    [
      ['changed', null],
      ['move_not_allowed', null],
      ['not_found', null],
    ],
  )
  t.same([await statusOf(), await decisions()], before)
  t.same((await send('GET', '/moderation/batches')).body.items, [])
})

t.test('decideMany: a dry run counts the replies that would change along', async (t) => {
  const service = await openService(t)
  const { decideMany, statusOf } = openActing(service)
  const root = await service.post('a', 'root')
  const reply = await service.post('a', 'reply', { parent_id: root.id })
  await service.post('a', 'nested', { parent_id: reply.id })
  const gone = await service.post('a', 'gone', { parent_id: reply.id })
  await service.decide(gone.id, 'approved', 'spam')
  const run = { comment_ids: [root.id], to: 'rejected', dry_run: true }
  t.match((await decideMany(run)).body, { outcomes: { changed: 1 }, replies: 0 })
  t.match((await decideMany({ ...run, replies: 'same' })).body, { replies: 2 })
  const both = { ...run, comment_ids: [root.id, reply.id], replies: 'same' }
  t.match((await decideMany(both)).body, { outcomes: { changed: 2 }, replies: 1 })
  t.match(await statusOf(), { root: 'approved', reply: 'approved', nested: 'approved' })
})

t.test('decideMany refuses malformed requests', async (t) => {
  const service = await openService(t)
  const { decideMany } = openActing(service)
  const refusals: [Json, string][] = [
    [{ to: 'spam' }, ''],
    [{ to: 'spam', comment_ids: [ABSENT], filter: {} }, ''],
    [{ to: 'spam', filter: {} }, '/expected_count'],
    [{ to: 'spam', comment_ids: [ABSENT, 'x'] }, '/comments/1'],
    [{ to: 'spam', filter: { until: '2020-13-01T00:00:00Z' }, expected_count: 1 }, '/filter/until'],
    [{ to: 'spam', comment_ids: Array.from({ length: 501 }, (_, n) => `c1-${n}`) }, '/comments'],
  ]
  for (const [body, pointer] of refusals) {
    const answer = await decideMany(body)
    t.equal(said(answer), '400 invalid_request', pointer)
    t.equal(answer.body.errors[0].pointer, pointer)
  }
  const move = { comment_ids: [ABSENT], from: 'deleted', to: 'spam' }
  t.equal(said(await decideMany(move)), '409 move_not_allowed')
  t.equal(said(await decideMany({ ...move, to: 'deleted' })), '400 invalid_request')
})

t.test('decideMany has one effect per Idempotency-Key', async (t) => {
  const service = await openService(t)
  const { decideMany, decisions } = openActing(service)
  const comment_ids = await hold(service, 3)
  const body = { comment_ids, to: 'spam' }
  const answers = await Promise.all(
    [1, 2, 3].map(() => decideMany(body, 'the-same-key-for-all-of-them')),
  )
  const done = answers.filter(({ status }) => status === 200)
  t.ok(done.length > 0)
  for (const answer of answers) t.match(said(answer), /^200$|^409 idempotency_in_flight$/)
  const later = await decideMany(body, 'the-same-key-for-all-of-them')
  for (const answer of done) t.same(answer.body, later.body)
  t.equal((await decisions()).length, 3)
  const other = await decideMany({ ...body, to: 'rejected' }, 'the-same-key-for-all-of-them')
  t.equal(said(other), '422 idempotency_key_reused')
})

t.test(
  'decideMany decides more than 500 comments after the response, with progress and undo',
  async (t) => {
    const service = await openService(t)
    const { decideMany, send, statusOf, undoBatch } = openActing(service)
    await hold(service, 2)
    await sql`
    insert into comments (site_id, thread_id, author_id, status, created_at, body, body_html,
      renderer)
    select site_id, thread_id, author_id, status, created_at, body || n, body_html, renderer
    from comments, generate_series(1, 300) n`.execute(service.db)
    await sql.raw(FILL_TALLIES).execute(service.db)
    const answer = await decideMany(
      { filter: {}, as_of: (await send('GET', '/moderation/comments')).body.as_of, to: 'approved' },
      'a-key-for-a-large-batch',
    )
    t.equal(answer.status, 202)
    t.match(answer.body, { batch: { total: 602, done: 0, ended_at: null }, items: [] })
    const { id } = answer.body.batch
    const ended = async (batch: string): Promise<Json> =>
      until('the batch to end', async () => {
        const { body } = await send('GET', `/moderation/batches/${batch}`)
        return body.ended_at && body
      })
    t.match(await ended(id), { done: 602, changed: 602, outcomes: { changed: 602 } })
    t.same(await recount(service.db), [])
    t.same(new Set(Object.values(await statusOf())), new Set(['approved']))
    const undone = await undoBatch(id)
    t.match(undone, { status: 202, body: { batch: { kind: 'undo', undoes: id, to: null } } })
    t.match(await ended(undone.body.batch.id), { done: 602, changed: 602 })
    t.same(await recount(service.db), [])
    t.same(new Set(Object.values(await statusOf())), new Set(['pending']))
    const { items } = (await send('GET', '/moderation/batches?limit=1')).body
    t.equal(items[0].id, undone.body.batch.id)
  },
)
