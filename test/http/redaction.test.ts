import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { callBack, openChecked, own, STRICT, setChecks } from '../checks.ts'
import { json } from '../clients/checks-server.ts'
import { dump } from '../dump.ts'
import { recount } from '../recount.ts'
import { type Answer, type Call, openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'
import { during, PATIENCE_MS, untilSomebodyWaits } from '../usecases/posting.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const MARK = 'quince-mark'
const TEXT = `Ada lives at 12 ${MARK} street`

const redact = (
  { call, adminKey: token }: TestService,
  { id }: Json,
  more: Json = {},
  options: Call = {},
): Promise<Answer> =>
  call('POST', `${SITE}/comments/${id}/redactions`, {
    token,
    body: { reason: 'illegal', ...more },
    ...options,
  })

const edit = (
  { call }: TestService,
  { id, guest_token: token }: Json,
  call_: Call,
): Promise<Answer> => call('PATCH', `${SITE}/comments/${id}`, { token, ...call_ })

const said = ({ status, body }: Answer): string => `${status} ${body?.code ?? body?.status ?? ''}`

const key = (): Record<string, string> => ({ 'idempotency-key': randomUUID() })

const logOf = async ({ get, adminKey: token }: TestService, { id }: Json): Promise<Json[]> =>
  (await get(`/moderation/decisions?comment_id=${id}`, { token })).body.items

const moderated = async ({ get, adminKey: token }: TestService, { id }: Json): Promise<Json> =>
  (await get('/moderation/comments?status=deleted', { token })).body.items.find(
    (one: Json) => one.id === id,
  )

/** The places of the database that quote the text. */
const quotesIn = async (service: TestService): Promise<string[]> =>
  (await dump(service)).match(/.{0,200}(quince-mark|street)/g) ?? []

/** A rule that finds the mark and quotes it in the trace. */
const quoteInTraces = async ({ call, get, adminKey: token }: TestService): Promise<void> => {
  const { policy } = (await get('/moderation/policy', { token })).body
  policy.rules.words = { ...policy.rules.words, mode: 'record', pending: ['STREET'] }
  await call('PUT', `${SITE}/moderation/policy`, { token, body: { policy } })
}

/** A comment whose text is wherever the service can have it. */
const scatter = async (service: TestService): Promise<Json> => {
  const { call, adminKey } = service
  const root = await service.post('a', TEXT, {}, { headers: key() })
  await edit(service, root, { body: { body: `${TEXT}, edited` }, headers: key() })
  await service.post('a', 'a reply that stays', { parent_id: root.id })
  const { guest_token: reader } = await service.post('b', 'of a reader')
  const path = `${SITE}/comments/${root.id}`
  const flag = { reason: 'other', note: `it says: ${TEXT}` }
  await call('POST', `${path}/flags`, { token: reader, body: flag, headers: key() })
  const notes = `${SITE}/authors/${root.author.id}/notes`
  const note = { note: `wrote "${TEXT}"` }
  await call('POST', notes, { token: adminKey, body: note, headers: key() })
  await call('POST', `${SITE}/moderation/decisions`, {
    token: adminKey,
    body: { filter: { status: ['approved'], q: MARK }, expected_count: 1, to: 'spam', note: MARK },
    headers: key(),
  })
  const decision = { from: 'spam', to: 'rejected', reason: 'illegal', note: `names ${MARK}` }
  await call('POST', `${path}/decisions`, { token: adminKey, body: decision, headers: key() })
  const token = root.guest_token
  const { body: appeal } = await call('POST', `${path}/appeals`, { token, body: { text: TEXT } })
  await call('POST', `${SITE}/moderation/appeals/${appeal.id}/answers`, {
    token: await service.makeKey('moderate'),
    body: { outcome: 'overturned', revision: 2, note: `but ${MARK} is public` },
    headers: key(),
  })
  return root
}

t.test(
  'redactComment removes a text and everything that quotes it from the database',
  async (t) => {
    const service = await openService(t)
    await quoteInTraces(service)
    const root = await scatter(service)
    t.match((await service.get('/articles/a/comments')).body.items, [{ id: root.id }])
    const before = await dump(service)
    const find = (place: string) => new RegExp(`"${place}": .{0,900}(${MARK}|street)`)
    for (const place of ['body', 'body_html', 'note', 'text', 'answer', 'request', 'packed_trace'])
      t.ok(find(place).test(before), place)
    t.match(await redact(service, root, { note: 'order 12' }), {
      status: 201,
      body: { action: 'redact', comment_id: root.id, reason: 'illegal', note: 'order 12' },
    })
    t.same(await quotesIn(service), [])
    t.same(await quotesIn(service), [])
    t.same(await recount(service.db), [])
  },
)

t.test(
  'a redacted comment is a tombstone for readers, on every node, from the response on',
  async (t) => {
    const service = await openService(t)
    const twin = await openTwin(t, service)
    const root = await service.post('a', TEXT)
    await service.post('a', 'a reply that stays', { parent_id: root.id })
    const paths = ['/articles/a/comments', '/comments', `/comments/${root.id}`, '/articles/a']
    const read = () =>
      Promise.all(
        [service.app, twin].flatMap((app) => paths.map((path) => app.inject({ url: SITE + path }))),
      )
    t.match((await read())[0]!.payload, MARK)
    t.equal((await redact(service, root)).status, 201)
    for (const { payload } of await read()) t.notMatch(payload, MARK)
    const { body } = await service.get('/articles/a/comments')
    t.match(body.items, [{ id: root.id, status: 'deleted', author: null, body: null }])
    t.match(body.items[0].replies.items, [{ body: 'a reply that stays' }])
    t.equal(body.thread.comment_count, 1)
    t.same(await recount(service.db), [])
  },
)

t.test('moderators see that a comment is redacted, and the logs say by whom and why', async (t) => {
  const service = await openService(t)
  const { adminKey: token } = service
  const root = await service.post('a', TEXT)
  const { body: decision } = await redact(service, root, { note: 'order 12' })
  const seen = await moderated(service, root)
  t.match(seen, { deleted_by: 'redaction', body: '', body_html: '', trace: [], facts: null })
  t.match(seen.redacted_at, /Z$/)
  t.match(await logOf(service, root), [
    {
      action: 'status',
      from: 'approved',
      to: 'deleted',
      reason: 'illegal',
      caused_by: decision.id,
    },
    { action: 'redact', id: decision.id, note: 'order 12', after: { revision: null } },
  ])
  const { items } = (await service.get('/audit', { token })).body
  const after = { revision: null, reason: 'illegal', note: 'order 12' }
  t.match(items[0], { action: 'comment_redacted', subject: root.id, by: decision.by, after })
})

t.test('nothing restores a redacted comment, and no one can edit it', async (t) => {
  const service = await openService(t)
  const { call, adminKey } = service
  const top = await service.post('a', 'top')
  const root = await service.post('a', TEXT, { parent_id: top.id })
  await service.decide(root.id, 'approved', 'spam')
  const undo = (id: string) =>
    call('POST', `${SITE}/moderation/decisions/${id}/undos`, { token: adminKey })
  t.equal((await redact(service, root)).status, 201)
  const path = `${SITE}/comments/${root.id}`
  const [status, redaction, spam] = await logOf(service, root)
  t.equal(said(await undo(status!.id)), '409 move_not_allowed')
  t.equal(said(await undo(redaction!.id)), '409 move_not_allowed')
  t.equal(said(await undo(spam!.id)), '409 decision_conflict')
  t.equal(said(await service.decide(root.id, 'deleted', 'approved')), '409 move_not_allowed')
  const body = { comments: [{ id: root.id }], to: 'pending' }
  const bulk = await call('POST', `${SITE}/moderation/decisions`, { token: adminKey, body })
  t.match(bulk.body.items, [{ outcome: 'move_not_allowed' }])
  await service.decide(top.id, 'approved', 'deleted', { replies: 'same' })
  await service.decide(top.id, 'deleted', 'approved', { replies: 'same' })
  const token = root.guest_token
  await call('DELETE', path, { token })
  t.equal(said(await call('POST', `${path}/restorations`, { token })), '410 comment_redacted')
  t.equal(said(await edit(service, root, { body: { body: 'x' } })), '404 not_found')
  const byStaff = { token: adminKey, body: { body: 'x' } }
  t.equal(said(await edit(service, root, byStaff)), '410 comment_redacted')
  t.equal(said(await redact(service, root)), '410 comment_redacted')
  const moved = { token: adminKey, body: { article_id: 'elsewhere' } }
  t.equal((await call('POST', `${path}/moves`, moved)).status, 201)
  t.match(await moderated(service, root), { article_id: 'elsewhere', body: '', status: 'deleted' })
  t.same(await recount(service.db), [])
})

t.test('a batch that changed a redacted comment is undone without it', async (t) => {
  const service = await openService(t)
  const { call, adminKey: token } = service
  const [root, other] = [await service.post('a', TEXT), await service.post('a', 'other')]
  const body = { comments: [{ id: root.id }, { id: other.id }], to: 'deleted' }
  const { batch } = (await call('POST', `${SITE}/moderation/decisions`, { token, body })).body
  t.equal((await redact(service, root)).status, 201)
  const undone = await call('POST', `${SITE}/moderation/batches/${batch.id}/undos`, { token })
  t.match(undone.body.outcomes, { changed: 1, move_not_allowed: 1 })
  t.match((await service.get('/articles/a/comments')).body.items, [{ id: other.id }])
  t.same(await recount(service.db), [])
})

t.test('a redaction ends an open appeal, and its author cannot appeal again', async (t) => {
  const service = await openService(t)
  const { call, adminKey } = service
  const root = await service.post('a', TEXT)
  const token = root.guest_token
  const path = `${SITE}/comments/${root.id}`
  const appeal = () => call('POST', `${path}/appeals`, { token, body: { text: `but ${MARK}` } })
  await service.decide(root.id, 'approved', 'rejected')
  t.equal((await appeal()).status, 201)
  await redact(service, root)
  t.same((await service.get('/moderation/appeals', { token: adminKey })).body.items, [])
  t.equal(said(await appeal()), '409 decision_conflict')
  t.match((await service.get(`/comments/${root.id}/statement`, { token })).body, {
    status: 'removed',
    decided_by: 'moderator',
    ground: { reason: 'illegal' },
    may_appeal: false,
  })
})

t.test('a late retry with an Idempotency-Key posts no redacted text again', async (t) => {
  const service = await openService(t)
  const headers = key()
  const post = (text: string) =>
    service.call('POST', `${SITE}/articles/a/comments`, {
      headers,
      body: { body: text, author: { name: 'Ada' } },
    })
  const { body: root } = await post(TEXT)
  const note = { note: 'of another comment' }
  const other = await service.post('a', 'other')
  const decided = { token: service.adminKey, headers: key() }
  const decide = () =>
    service.call('POST', `${SITE}/comments/${other.id}/decisions`, {
      ...decided,
      body: { from: 'approved', to: 'spam', ...note },
    })
  await decide()
  const again = key()
  t.equal(
    (await redact(service, root, {}, { token: service.adminKey, headers: again })).status,
    201,
  )
  t.equal(said(await post(TEXT)), '410 comment_redacted')
  t.equal(said(await post('another text')), '410 comment_redacted')
  t.match(await decide(), { status: 201, body: note }, 'other responses stay')
  t.match(await redact(service, root, {}, { token: service.adminKey, headers: again }), {
    status: 201,
    body: { action: 'redact' },
  })
  t.same(await quotesIn(service), [])
})

t.test('a check that has not answered is asked no more about a redacted comment', async (t) => {
  const { service, server } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const root = await service.post('a', TEXT)
  const listJobs = async () =>
    (await sql<{ kind: string }>`select kind from jobs`.execute(service.db)).rows
  t.same(await listJobs(), [{ kind: 'ask_checks' }])
  t.equal((await redact(service, root)).status, 201)
  t.same(await listJobs(), [])
  t.equal((await callBack(service, { comment_id: root.id, score: 1 })).status, 404)
  t.match(await moderated(service, root), { deleted_by: 'redaction', trace: [], facts: null })
})

t.test(
  'redactComment with a revision removes one earlier text and keeps the comment',
  async (t) => {
    const service = await openService(t)
    await quoteInTraces(service)
    const { adminKey: token } = service
    const headers = key()
    const root = await service.post('a', TEXT, {}, { headers })
    await edit(service, root, { body: { body: 'second' }, headers: key() })
    await edit(service, root, { body: { body: 'third' } })
    t.equal(said(await redact(service, root, { revision: 3 })), '409 decision_conflict')
    t.equal(said(await redact(service, root, { revision: 4 })), '409 decision_conflict')
    t.match(await redact(service, root, { revision: 1 }), {
      status: 201,
      body: { action: 'redact', after: { revision: 1 } },
    })
    t.same(await quotesIn(service), [])
    t.equal(said(await redact(service, root, { revision: 1 })), '409 decision_conflict')
    t.match((await service.get(`/comments/${root.id}`)).body, { body: 'third', revision: 3 })
    const { items } = (await service.get(`/comments/${root.id}/revisions`, { token })).body
    t.match(items, [
      { revision: 2, body: 'second' },
      { revision: 1, body: '', body_html: '' },
    ])
    t.equal((await edit(service, root, { body: { body: 'fourth' } })).status, 200)
    t.same(await recount(service.db), [])
  },
)

t.test(
  'a redaction of a revision also removes a trace of it that an unjudged edit left',
  async (t) => {
    const service = await openService(t)
    await quoteInTraces(service)
    const { adminKey: token } = service
    const root = await service.post('a', TEXT)
    await edit(service, root, { token, body: { body: 'by a moderator' } })
    t.not((await quotesIn(service)).length, 0)
    t.equal((await redact(service, root, { revision: 1 })).status, 201)
    t.same(await quotesIn(service), [])
  },
)

t.test('redactComment works on deleted comments, in locked and in hidden threads', async (t) => {
  const service = await openService(t)
  const { call, adminKey: token } = service
  const withdrawn = await service.post('a', `${TEXT} 1`)
  await call('DELETE', `${SITE}/comments/${withdrawn.id}`, { token: withdrawn.guest_token })
  const [locked, hidden] = [await service.post('b', TEXT), await service.post('c', TEXT)]
  for (const [article, state] of [
    ['b', 'locked'],
    ['c', 'hidden'],
  ])
    await call('PATCH', `${SITE}/articles/${article}`, { token, body: { state } })
  for (const comment of [withdrawn, locked, hidden]) {
    t.equal((await redact(service, comment)).status, 201)
    t.match(await moderated(service, comment), { deleted_by: 'redaction' })
  }
  t.same(await quotesIn(service), [])
  const { rows } = await sql`
    select comment_id::text from arrivals where comment_id = 1 union all
    select answer::text from idempotency_keys
    where answer::text = '"redacted"' and body_hash <> ''`.execute(service.db)
  t.same(rows, [], 'and no hash of the text')
  t.same(await recount(service.db), [])
})

t.test('an author’s shadowed comment is redacted for the author too', async (t) => {
  const service = await openService(t)
  const { call, adminKey } = service
  const { author, guest_token: token } = await service.post('a', 'first')
  const ban = { kind: 'author', value: author.id, effect: 'shadow' }
  await call('POST', `${SITE}/moderation/bans`, { token: adminKey, body: ban })
  const root = await service.post('a', TEXT, {}, { token })
  t.match((await service.get('/articles/a/comments', { token })).text, MARK)
  t.equal((await redact(service, root)).status, 201)
  t.notMatch((await service.get('/articles/a/comments', { token })).text, MARK)
  t.same(await quotesIn(service), [])
})

t.test(
  'an edit that a redaction overtakes is refused, and one that comes first is redacted',
  async (t) => {
    const service = await openService(t)
    const comments = [await service.post('a', TEXT), await service.post('b', TEXT)]
    const late = (comment: Json) =>
      edit(service, comment, { body: { body: `late ${MARK}` }, headers: key() })
    const [redactFirst, editFirst] = comments as [Json, Json]
    const acts = await during(service, sql`select from threads for update`, async () => {
      const acts = [redact(service, redactFirst), late(editFirst)]
      await untilSomebodyWaits(service, 2, PATIENCE_MS)
      return [...acts, late(redactFirst), redact(service, editFirst)] as const
    })
    const statuses = (await Promise.all(acts)).map(({ status }) => status)
    t.same(statuses, [201, 200, 404, 201])
    t.same(await quotesIn(service), [])
    t.same(await recount(service.db), [])
  },
)

t.test(
  'a redaction empties the note that decisions on other comments have in common',
  async (t) => {
    const service = await openService(t)
    const { call, adminKey: token } = service
    const root = await service.post('a', TEXT)
    const reply = await service.post('a', 'a reply', { parent_id: root.id })
    const [other, apart] = [await service.post('a', 'other'), await service.post('a', 'apart')]
    const order = { to: 'pending', note: `all about ${MARK}` }
    const comments = [{ id: root.id }, { id: other.id }]
    await call('POST', `${SITE}/moderation/decisions`, { token, body: { comments, ...order } })
    await service.decide(root.id, 'pending', 'approved')
    const cascade = { replies: 'same', note: `names ${MARK}` }
    await service.decide(root.id, 'approved', 'rejected', cascade)
    await service.decide(apart.id, 'approved', 'rejected', { note: 'apart' })
    t.match(await logOf(service, reply), [{ note: cascade.note }])
    t.match(await logOf(service, other), [{ note: order.note }])
    t.equal((await redact(service, root)).status, 201)
    t.same(await quotesIn(service), [])
    t.match(await logOf(service, reply), [{ to: 'rejected', note: null }])
    t.match(await logOf(service, other), [{ to: 'pending', note: null }])
    t.match(await logOf(service, apart), [{ note: 'apart' }])
  },
)

t.test('only administrators redact, and a redaction needs a reason', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', TEXT)
  const token = await service.makeKey('moderate')
  t.equal((await redact(service, root, {}, { token })).status, 403)
  t.equal((await redact(service, root, { reason: undefined })).status, 400)
  t.match((await service.get(`/comments/${root.id}`)).body, { body: TEXT })
})

t.test('a decision loses its note only by a redaction of its comment', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', TEXT)
  await service.decide(root.id, 'approved', 'spam', { note: 'kept' })
  const change = (comment: number, assignment: string) =>
    service.db.transaction().execute(async (tx) => {
      await sql`select set_config('afterword.redacted_comment', ${String(comment)}, true)`.execute(
        tx,
      )
      await sql`update decisions set ${sql.raw(assignment)}`.execute(tx)
    })
  await t.rejects(change(2, 'note = null'), /append-only/)
  await t.rejects(change(1, "note = 'other'"), /append-only/)
  await t.rejects(change(1, "note = null, decided_by = 'k9'"), /append-only/)
  t.match(await logOf(service, root), [{ note: 'kept' }])
})
