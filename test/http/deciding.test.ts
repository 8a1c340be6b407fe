import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { type Answer, openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const said = ({ status, body }: Answer): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

/** Acts as the admin. */
const openActing = (service: TestService) => {
  const send = (method: string, path: string, body?: Json, key?: string) =>
    service.call(method, `${SITE}${path}`, {
      token: service.adminKey,
      body,
      ...(key !== undefined && { headers: { 'idempotency-key': key } }),
    })
  const statusOf = async (): Promise<Record<string, string>> => {
    const { rows } = await sql<{ body: string; status: string }>`
      select body, status from comments order by id`.execute(service.db)
    return Object.fromEntries(rows.map(({ body, status }) => [body, status]))
  }
  return {
    send,
    statusOf,
    decideMany: (body: Json, key?: string) => send('POST', '/moderation/decisions', body, key),
    undo: (id: string) => send('POST', `/moderation/decisions/${id}/undos`),
    undoBatch: (id: string) => send('POST', `/moderation/batches/${id}/undos`),
    decisions: async (): Promise<Json[]> =>
      (await send('GET', '/moderation/decisions?limit=100')).body.items,
    thread: async (article: string): Promise<Json> =>
      (await service.get(`/articles/${article}`)).body,
  }
}

/** So many held comments, called `0`, `1`, …, in turns in two articles. */
const hold = async (service: TestService, count: number): Promise<string[]> => {
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  const ids: string[] = []
  for (let n = 0; n < count; n++) ids.push((await service.post(n % 2 ? 'b' : 'a', String(n))).id)
  return ids
}

t.test('decideMany returns an outcome for each comment, in the order of the request', async (t) => {
  const service = await openService(t)
  const { decideMany, decisions, statusOf, thread } = openActing(service)
  const [one, two, three, four] = await hold(service, 4)
  await service.decide(two!, 'pending', 'spam')
  await service.decide(three!, 'pending', 'deleted')
  const comment_ids = [four, 'czz-zz', three, two, one]
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
      ['czz-zz', 'not_found'],
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
  const run = { comment_ids: [one, two, 'czz-zz'], to: 'spam', dry_run: true }
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

t.test('decideMany refuses malformed requests', async (t) => {
  const service = await openService(t)
  const { decideMany } = openActing(service)
  const refusals: [Json, string][] = [
    [{ to: 'spam' }, ''],
    [{ to: 'spam', comment_ids: ['c1-1'], filter: {} }, ''],
    [{ to: 'spam', filter: {} }, '/expected_count'],
    [{ to: 'spam', comment_ids: ['c1-1', 'x'] }, '/comment_ids/1'],
    [{ to: 'spam', filter: { until: '2020-13-01T00:00:00Z' }, expected_count: 1 }, '/filter/until'],
    [{ to: 'spam', comment_ids: Array.from({ length: 501 }, (_, n) => `c1-${n}`) }, '/comment_ids'],
  ]
  for (const [body, pointer] of refusals) {
    const answer = await decideMany(body)
    t.equal(said(answer), '400 invalid_request', pointer)
    t.equal(answer.body.errors[0].pointer, pointer)
  }
  const move = { comment_ids: ['c1-1'], from: 'deleted', to: 'spam' }
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
    insert into comments (site_id, thread_id, author_id, status, created_at, active_at, body, body_html,
      renderer)
    select site_id, thread_id, author_id, status, created_at, active_at, body || n, body_html, renderer
    from comments, generate_series(1, 300) n`.execute(service.db)
    const answer = await decideMany(
      { filter: {}, expected_count: 602, to: 'approved' },
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

t.test('undoDecision restores cascaded comments, once', async (t) => {
  const service = await openService(t)
  const { decisions, thread, undo } = openActing(service)
  const root = await service.post('a', 'root')
  const reply = await service.post('a', 'reply', { parent_id: root.id })
  const other = await service.post('a', 'other', { parent_id: reply.id })
  await service.decide(other.id, 'approved', 'spam')
  const { body: hidden } = await service.decide(root.id, 'approved', 'rejected', {
    replies: 'same',
  })
  t.match(await thread('a'), { comment_count: 0, last_comment_at: null })
  const answer = await undo(hidden.id)
  t.match(answer, {
    status: 201,
    headers: { 'thread-version': String },
    body: { action: 'status', from: 'rejected', to: 'approved', undoes: hidden.id },
  })
  t.match(await thread('a'), { comment_count: 2, root_count: 1, last_comment_at: reply.created_at })
  const [caused] = await decisions()
  t.match(caused, { caused_by: answer.body.id, comment_id: reply.id, undoes: String })
  t.equal(said(await undo(hidden.id)), '409 decision_conflict')
  const redone = await undo(answer.body.id)
  t.match(redone.body, { from: 'approved', to: 'rejected', undoes: answer.body.id })
  t.match(await thread('a'), { comment_count: 0 })
  await service.decide(reply.id, 'rejected', 'approved')
  t.equal((await undo(redone.body.id)).status, 201, 'what was decided on since stays as it is')
  t.match(await thread('a'), { comment_count: 2 })
  await service.call('POST', `${SITE}/authors/${reply.author.id}/notes`, {
    token: service.adminKey,
    body: { note: 'x' },
  })
  t.equal(said(await undo((await decisions())[0]!.id)), '409 move_not_allowed')
  t.equal(said(await undo('dzzz')), '404 not_found')
  t.equal(said(await undo('nonsense')), '404 not_found')
  t.same(await recount(service.db), [])
})

t.test(
  'undoDecision and undoBatch do not publish a comment that was edited while hidden',
  async (t) => {
    const service = await openService(t)
    const { decideMany, statusOf, undo, undoBatch } = openActing(service)
    const edit = async ({ id, guest_token: token }: Json) => {
      const body = { body: `${id}, edited` }
      t.equal((await service.call('PATCH', `${SITE}/comments/${id}`, { token, body })).status, 202)
    }
    const one = await service.post('a', 'one')
    const reply = await service.post('a', 'reply', { parent_id: one.id })
    const two = await service.post('a', 'two')
    const three = await service.post('a', 'three')
    const { body: hidden } = await service.decide(one.id, 'approved', 'pending', {
      replies: 'same',
    })
    const many = await decideMany({ comment_ids: [two.id, three.id], to: 'spam' })
    await edit(reply)
    await edit(two)
    t.equal((await undo(hidden.id)).status, 201)
    t.match((await undoBatch(many.body.batch.id)).body.outcomes, {
      changed: 1,
      decision_conflict: 1,
    })
    const [edited, other] = [`${reply.id}, edited`, `${two.id}, edited`]
    const expected = { one: 'approved', [edited]: 'pending', [other]: 'spam', three: 'approved' }
    t.same(await statusOf(), expected)
    t.same(await recount(service.db), [])
  },
)

t.test('undoDecision restores the flag count and the time of publication', async (t) => {
  const service = await openService(t)
  const { undo, decisions } = openActing(service)
  const [id] = await hold(service, 1)
  const { body: shown } = await service.decide(id!, 'pending', 'approved')
  t.match(shown, { before: { published_at: null }, after: { published_at: String } })
  const { guest_token: token } = (
    await service.call('POST', `${SITE}/guests`, { body: { name: 'A' } })
  ).body
  await service.call('POST', `${SITE}/comments/${id}/flags`, { token, body: { reason: 'spam' } })
  const { body: hidden } = await service.decide(id!, 'approved', 'spam')
  const state = async () =>
    (
      await sql<Json>`select c.status, c.flag_count, c.published_at, f.resolved_at is null as open
        from comments c left join flags f on f.comment_id = c.id`.execute(service.db)
    ).rows[0]
  t.match(await state(), { status: 'spam', flagCount: 0, open: false })
  const { body: undone } = await undo(hidden.id)
  t.match(await state(), { status: 'approved', flagCount: 1, open: true })
  const { body: redone } = await undo(undone.id)
  t.match(await state(), { status: 'spam', flagCount: 0, open: false })
  await undo(redone.id)
  t.match(await state(), { status: 'approved', flagCount: 1, open: true })
  t.equal(said(await undo(shown.id)), '201', 'what came later was taken back')
  t.match(await state(), { status: 'pending', publishedAt: null })
  t.equal((await decisions()).length, 6)
  t.same(await recount(service.db), [])
})

t.test('an undone decision that readers never saw leaves no trace for readers', async (t) => {
  const service = await openService(t)
  const { undo } = openActing(service)
  const [id] = await hold(service, 1)
  const { body } = await service.decide(id!, 'pending', 'approved')
  await undo(body.id)
  const { rows } = await sql<Json>`select status, published_at from comments`.execute(service.db)
  t.same(rows, [{ status: 'pending', publishedAt: null }])
  t.same((await service.get('/comments')).body.items, [])
})

t.test('pinComment shows the pin to readers and can be undone', async (t) => {
  const service = await openService(t)
  const { send, undo, thread } = openActing(service)
  const { id } = await service.post('a', 'x')
  const { version } = await thread('a')
  const pin = (pinned: boolean) => send('PUT', `/comments/${id}/pin`, { pinned })
  const { status, headers, body } = await pin(true)
  t.match(
    { status, body },
    { status: 200, body: { comment_id: id, pinned: true, decision_id: String } },
  )
  t.equal(Number(headers['thread-version']), (await thread('a')).version)
  t.ok((await thread('a')).version > version)
  t.match((await pin(true)).body, { pinned: true, decision_id: null }, 'it is so already')
  t.equal((await service.get(`/comments/${id}`)).body.pinned, true)
  const undone = await undo(body.decision_id)
  t.match(undone.body, { action: 'pin', before: { pinned: true }, after: { pinned: false } })
  t.equal((await service.get(`/comments/${id}`)).body.pinned, false)
  t.equal(said(await undo(body.decision_id)), '409 decision_conflict')
})

t.test(
  'lockComment closes a branch to replies, edits and votes, and an undo opens it',
  async (t) => {
    const service = await openService(t)
    await openSignOn(service)
    const { send, undo } = openActing(service)
    const token = await signToken({ sub: 'm', name: 'Mary' })
    const voter = await signToken({ sub: 'v', name: 'Vera' })
    const root = await service.post('a', 'root')
    const reply = await service.post('a', 'reply', { parent_id: root.id }, { token })
    const beside = await service.post('a', 'beside', {}, { token })
    const attempts = async (id: string) => [
      said(
        await service.call('POST', `${SITE}/articles/a/comments`, {
          token,
          body: { body: 'x', parent_id: id },
        }),
      ),
      said(await service.call('PATCH', `${SITE}/comments/${id}`, { token, body: { body: 'y' } })),
      said(
        await service.call('PUT', `${SITE}/comments/${id}/vote`, {
          token: voter,
          body: { value: 1 },
        }),
      ),
    ]
    const lock = (id: string, locked: boolean) => send('PUT', `/comments/${id}/lock`, { locked })
    const { body } = await lock(root.id, true)
    const refused = Array(3).fill('409 thread_locked')
    t.same(await attempts(reply.id), refused)
    t.same(await attempts(beside.id), ['201', '200', '200'])
    t.equal((await service.get(`/comments/${reply.id}`)).body.locked, true)
    t.equal(
      said(await send('PATCH', `/comments/${reply.id}`, { body: 'z' })),
      '200',
      'moderators edit',
    )
    t.match((await lock(root.id, true)).body, { locked: true, decision_id: null })
    await lock(reply.id, false)
    t.equal((await service.get(`/comments/${reply.id}`)).body.locked, false)
    const undone = await undo(body.decision_id)
    t.match(undone, { status: 201, body: { action: 'lock', after: { locked: false } } })
    await undo(undone.body.id)
    t.equal((await service.get(`/comments/${root.id}`)).body.locked, true)
    t.equal(
      (await service.get(`/comments/${reply.id}`)).body.locked,
      false,
      'it was opened by itself',
    )
    t.same(await recount(service.db), [])
  },
)
