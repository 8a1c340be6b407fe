import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { type Answer, openService, type TestService } from '../service.ts'
import { hold, openActing, said } from './moderator.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

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

const open = (service: TestService) => {
  const send = (method: string, path: string, body?: Json): Promise<Answer> =>
    service.call(method, `${SITE}${path}`, { token: service.adminKey, body })
  return {
    send,
    undo: (id: string) => send('POST', `/moderation/decisions/${id}/undos`),
    last: async (): Promise<Json> => (await send('GET', '/moderation/decisions')).body.items[0],
    thread: async (): Promise<Json> => (await service.get('/articles/a')).body,
  }
}

const codeOf = ({ status, body }: Answer): string => `${status} ${body?.code ?? ''}`

t.test('undo restores the changed settings of a thread', async (t) => {
  const service = await openService(t)
  const { send, undo, last, thread } = open(service)
  await service.post('a', 'x')
  const update = async (change: Json): Promise<string> => {
    t.equal((await send('PATCH', '/articles/a', change)).status, 200)
    return (await last()).id
  }
  await update({ title: 'First', slow_mode_seconds: 5 })
  const before = await thread()
  const closes_at = '2031-01-01T00:00:00.000Z'
  const change = { state: 'hidden', title: 'Second', closes_at, moderation: 'pre' }
  const changed = await update({ ...change, stays_open: true, slow_mode_seconds: null })
  t.equal((await thread()).comment_count, 0)
  const undone = await undo(changed)
  t.match(undone, {
    status: 201,
    headers: { 'thread-version': String },
    body: {
      action: 'thread',
      subject: 'a',
      undoes: changed,
      after: { title: 'First', moderation: 'site' },
    },
  })
  t.same({ ...(await thread()), version: 0 }, { ...before, version: 0 })
  t.equal(codeOf(await undo(changed)), '409 decision_conflict', 'once')
  t.equal((await undo(undone.body.id)).status, 201)
  t.equal((await thread()).comment_count, 0, 'and that is taken back too')
})

t.test('undo of reopening closes a thread that had closed by its time', async (t) => {
  const service = await openService(t)
  const { send, undo, last, thread } = open(service)
  await service.post('a', 'x')
  await send('PATCH', '/articles/a', { closes_at: '2020-01-01T00:00:00Z' })
  await send('PATCH', '/articles/a', { state: 'open' })
  t.equal((await thread()).state, 'open')
  await undo((await last()).id)
  t.match(await thread(), { state: 'closed', closes_at: '2020-01-01T00:00:00.000Z' })
})

t.test('undo keeps settings that changed again since, and restores the others', async (t) => {
  const service = await openService(t)
  const { send, undo, last, thread } = open(service)
  await service.post('a', 'x')
  await send('PATCH', '/articles/a', { state: 'closed' })
  const closed = (await last()).id
  await send('PATCH', '/articles/a', { title: 'T' })
  const titled = (await last()).id
  await send('PATCH', '/articles/a', { title: 'U' })
  t.equal(codeOf(await undo(titled)), '409 decision_conflict')
  t.equal((await undo(closed)).status, 201)
  t.match(await thread(), { state: 'open', title: 'U' })
  await send('PATCH', '/articles/a', { state: 'closed' })
  t.equal(codeOf(await undo(closed)), '409 decision_conflict', 'never twice')
})

t.test('undo restores no setting of a thread or a ban while a later change stands', async (t) => {
  const service = await openService(t)
  const { send, undo, last, thread } = open(service)
  await service.post('a', 'x')
  const act = async (path: string, change: Json): Promise<string> => {
    t.equal((await send('PATCH', path, change)).status, 200)
    return (await last()).id
  }
  const asked = { kind: 'email', value: 'eve@example.org', effect: 'block' }
  const { id: ban } = (await send('POST', '/moderation/bans', asked)).body
  const states = ['closed', 'open', 'closed'].map((state) => ['/articles/a', { state }] as const)
  const effects = ['hold', 'block', 'hold'].map(
    (effect) => [`/moderation/bans/${ban}`, { effect }] as const,
  )
  for (const changes of [states, effects]) {
    const ids: string[] = []
    for (const [path, change] of changes) ids.push(await act(path, change))
    t.equal(codeOf(await undo(ids[0]!)), '409 decision_conflict', 'it only looks as it left it')
    for (const id of ids.toReversed())
      t.match(await undo(id), { status: 201, body: { restored: { comments: 0, settings: 1 } } })
  }
  t.match(await thread(), { state: 'open' })
  const same = await act('/articles/a', { state: 'open' })
  t.equal(codeOf(await undo(same)), '409 decision_conflict', 'it changed nothing')
})

t.test('undo lifts a ban, and its undo renews the ban until its end', async (t) => {
  const service = await openService(t)
  const { send, undo, last } = open(service)
  const { author, guest_token: token } = await service.post('a', 'x')
  let texts = 0
  const trying = async () => {
    const body = { body: `y ${texts++}` }
    return (await service.call('POST', `${SITE}/articles/a/comments`, { token, body })).status
  }
  const asked = { kind: 'author', value: author.id, effect: 'block', reason: 'spam' }
  const ban = (await send('POST', '/moderation/bans', asked)).body
  const banned = (await last()).id
  t.equal(await trying(), 403)
  const lifted = await undo(banned)
  t.match(lifted, { status: 201, body: { action: 'unban', subject: ban.id, undoes: banned } })
  t.equal(await trying(), 201)
  t.equal(codeOf(await undo(banned)), '409 decision_conflict')
  const again = await undo(lifted.body.id)
  t.match(again.body, { action: 'ban', undoes: lifted.body.id, reason: 'spam' })
  t.equal(await trying(), 403)
  t.equal(codeOf(await undo(lifted.body.id)), '409 decision_conflict')
  t.equal(codeOf(await undo(banned)), '409 decision_conflict', 'never twice')
  await send('DELETE', `/moderation/bans/${ban.id}`)
  const unbanned = (await last()).id
  t.equal(codeOf(await undo(again.body.id)), '409 decision_conflict', 'it is lifted by now')
  await sql`update bans set expires_at = clock_timestamp()`.execute(service.db)
  t.equal(codeOf(await undo(unbanned)), '409 decision_conflict', 'its time is over')
})

t.test('of two moderators who undo the same decision together, one succeeds', async (t) => {
  const service = await openService(t)
  const { send, undo, last } = open(service)
  const asked = { kind: 'email', value: 'eve@example.org', effect: 'block' }
  await send('POST', '/moderation/bans', asked)
  const banned = (await last()).id
  const bans = await Promise.all([undo(banned), undo(banned)])
  t.same(
    bans.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409],
  )
  await send('PATCH', '/articles/a', { state: 'closed' })
  const closed = (await last()).id
  const threads = await Promise.all([undo(closed), undo(closed)])
  t.same(
    threads.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409],
  )
})
