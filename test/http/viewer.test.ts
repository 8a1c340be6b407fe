import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { IDS } from '../ids.ts'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService } from '../service.ts'

const SITE = '/v1/sites/default'

t.test(
  'getViewer returns the caller’s author, votes and held comments, and no cache keeps them',
  async (t) => {
    const service = await openService(t)
    const { id } = await service.post('a', 'x')
    const mine = await service.post('a', 'mine')
    const token = mine.guest_token
    await service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value: -1 } })
    await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
    const held = await service.post('a', 'held', {}, { token })
    const spam = await service.post('a', 'spam', {}, { token })
    await service.decide(spam.id, 'pending', 'spam')
    const { body, headers } = await service.get('/articles/a/viewer', { token })
    t.equal(headers['cache-control'], 'private, no-store')
    t.match(body, { author: mine.author, may_post: true, reason: null, votes: { [id]: -1 } })
    t.same(
      body.pending.map((comment: Record<string, unknown>) => [comment.id, comment.status]),
      [[held.id, 'pending']],
    )
    t.match(body.decided, [{ id: spam.id, status: 'removed' }], 'as its statement says')
  },
)

t.test('getViewer returns nothing for anonymous callers and keys', async (t) => {
  const service = await openService(t)
  await service.post('a', 'x')
  for (const token of [undefined, service.adminKey]) {
    const { now, ...body } = (await service.get('/articles/a/viewer', { token })).body
    t.match(now, /Z$/)
    t.same(body, {
      author: null,
      may_post: true,
      reason: null,
      may_post_at: null,
      votes: {},
      pending: [],
      editable: {},
      decided: [],
    })
  }
})

t.test('getViewer returns the error that posting would give', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { guest_token: guest } = await service.post('a', 'x')
  const member = await signToken()
  const set = (path: string, body: object) =>
    service.call('PATCH', `${SITE}${path}`, { token: service.adminKey, body })
  let texts = 0
  const asked = async (token: string, article = 'a') => {
    const { body } = await service.get(`/articles/${article}/viewer`, { token })
    const post = await service.call('POST', `${SITE}/articles/${article}/comments`, {
      token,
      body: { body: `y ${texts++}` },
    })
    t.equal(body.reason, post.body.code ?? null, 'as posting says')
    t.equal(body.may_post, post.status === 201)
    return body.reason
  }
  t.equal(await asked(guest, 'new'), null)
  await set('', { who_may_post: 'members' })
  t.equal(await asked(guest), 'login_required')
  t.equal(await asked(member), null)
  await set('/articles/a', { state: 'closed' })
  t.equal(await asked(member), 'thread_closed')
  await set('/articles/a', { state: 'locked' })
  t.equal(await asked(member), 'thread_locked')
  await set('', { who_may_post: 'nobody' })
  t.equal(await asked(member), 'posting_disabled')
})

t.test('getViewer shows a hidden thread as absent', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const { guest_token: token } = await service.post('b', 'y')
  await service.call('PUT', `${SITE}/comments/${id}/vote`, { token, body: { value: 1 } })
  const hide = { token: service.adminKey, body: { state: 'hidden' } }
  await service.call('PATCH', `${SITE}/articles/a`, hide)
  const { body } = await service.get('/articles/a/viewer', { token })
  const absent = await service.get('/articles/nothing/viewer', { token })
  t.same({ ...body, now: '' }, { ...absent.body, now: '' })
})

type Json = Record<string, any>

/** An author with comments in every state that their own or other people's acts lead to. */
const openAuthor = async (t: Parameters<typeof openService>[0]) => {
  const service = await openService(t)
  const { call, adminKey } = service
  const guest = await call('POST', `${SITE}/guests`, { body: { name: 'Eve' } })
  const token: string = guest.body.guest_token
  const administer = async (method: string, path: string, body?: object) =>
    call(method, `${SITE}${path}`, { token: adminKey, ...(body && { body }) })
  const viewer = async (): Promise<Json> =>
    (await service.get('/articles/a/viewer', { token })).body
  const edit = (id: string, body: string) =>
    call('PATCH', `${SITE}/comments/${id}`, { token, body: { body } })
  const statement = async (id: string): Promise<Json> =>
    (await service.get(`/comments/${id}/statement`, { token })).body
  return { service, token, author: guest.body.author, administer, viewer, edit, statement }
}

type Author = Awaited<ReturnType<typeof openAuthor>>

const rowOf = (id: string) => IDS.readComment(id)!.id

/** What can happen to a comment, by its author, by others, or by time. An act that is refused changes nothing. */
const ACTS: Record<string, (author: Author, id: string) => Promise<unknown>> = {
  nothing: async () => {},
  hold: ({ service }, id) => service.decide(id, 'approved', 'pending'),
  reject: ({ service }, id) => service.decide(id, 'approved', 'rejected', { reason: 'off_topic' }),
  spam: ({ service }, id) => service.decide(id, 'approved', 'spam'),
  remove: ({ service }, id) => service.decide(id, 'approved', 'deleted'),
  approve: ({ service }, id) => service.decide(id, 'rejected', 'approved'),
  lock: ({ administer }, id) => administer('PUT', `/comments/${id}/lock`, { locked: true }),
  revise: ({ administer }, id) =>
    administer('PATCH', `/comments/${id}`, { body: 'by a moderator' }),
  redact: ({ administer }, id) =>
    administer('POST', `/comments/${id}/redactions`, { reason: 'illegal' }),
  withdraw: ({ service, token }, id) => service.call('DELETE', `${SITE}/comments/${id}`, { token }),
  'edit it': ({ edit }, id) => edit(id, 'by its author'),
  shadow: async ({ administer, author, edit }, id) => {
    const ban = { kind: 'author', value: author.id, effect: 'shadow' }
    const { body } = await administer('POST', '/moderation/bans', ban)
    await edit(id, 'shadowed')
    await administer('DELETE', `/moderation/bans/${body.id}`)
  },
}

const acts = fc.array(fc.constantFrom(...Object.keys(ACTS)), { maxLength: 3 })

/** The edit window is five minutes. */
const growOld = ({ service: { db } }: Author, id: string) =>
  sql`
  update comments set created_at = created_at - interval '301 seconds' where id = ${rowOf(id)}`.execute(
    db,
  )

const settings = fc.record({
  site: fc.constantFrom('open', 'open', 'open', 'closed'),
  thread: fc.constantFrom('open', 'open', 'closed', 'locked'),
  isOld: fc.constantFrom(false, false, false, true),
})

t.test('viewers and posts promise an edit until exactly when it is refused', async (t) => {
  const author = await openAuthor(t)
  const { service, token, administer, viewer, edit } = author
  let texts = 0
  const property = fc.asyncProperty(acts, settings, async (names, { site, thread, isOld }) => {
    await administer('PATCH', '', { state: 'open' })
    await administer('PATCH', '/articles/a', { state: 'open' })
    const { id } = await service.post('a', `text ${texts++}`, {}, { token })
    for (const name of names) await ACTS[name]!(author, id)
    if (isOld) await growOld(author, id)
    await administer('PATCH', '', { state: site })
    await administer('PATCH', '/articles/a', { state: thread })
    const { editable, pending, decided, now } = await viewer()
    const held = pending.find((comment: Json) => comment.id === id)
    const until = editable[id] ?? held?.editable_until ?? null
    const isPromised = until !== null && until > now
    const answer = await edit(id, `edit ${texts++}`)
    const isAccepted = answer.status < 300
    // A comment that a moderator took for spam takes edits, and stays where it is.
    const isTurnedDown = decided.some((comment: Json) => comment.id === id)
    if (isPromised !== (isAccepted && !isTurnedDown))
      throw new Error(
        `${names.join()}, ${site}, ${thread}: ${until} at ${now}, then ${answer.text}`,
      )
    if (isPromised && answer.body.editable_until !== until)
      throw new Error(`${answer.body.editable_until} is not ${until}`)
  })
  await t.resolves(fc.assert(property, { numRuns: runs(15, 60), endOnFailure: true }))
})

t.test(
  'each comment of an author is in exactly one place: shown, held or turned down',
  async (t) => {
    const author = await openAuthor(t)
    const { service, token, viewer, statement } = author
    let texts = 0
    const property = fc.asyncProperty(acts, async (names) => {
      const { id } = await service.post('a', `text ${texts++}`, {}, { token })
      for (const name of names) await ACTS[name]!(author, id)
      const { pending, decided } = await viewer()
      const page = await service.get('/articles/a/comments?view=flat&limit=1', { token })
      const ids = (comments: Json[]) => comments.map((comment) => comment.id)
      const places = [ids(page.body.items), ids(pending), ids(decided)]
      const found = places.map((list) => list.includes(id))
      const { status, decided_by: by, ground, may_appeal } = await statement(id)
      const isOwnAct = by === 'author'
      const expected = [
        status === 'published',
        status === 'held',
        status === 'removed' && !isOwnAct,
      ]
      t.same(found, expected, names.join())
      if (found[2]) {
        const reason = ground.reason
        t.match(decided[0], { id, status: 'removed', decision: { by, reason }, may_appeal })
      }
    })
    await t.resolves(fc.assert(property, { numRuns: runs(15, 60), endOnFailure: true }))
  },
)

t.test(
  'the answer to an edit, a post and a restoration says until when the author edits',
  async (t) => {
    const { service, token, viewer, edit } = await openAuthor(t)
    const post = await service.post('a', 'x', {}, { token })
    const end = new Date(Date.parse(post.created_at) + 300_000).toISOString()
    t.equal(post.editable_until, end)
    const edited = (await edit(post.id, 'y')).body
    t.match(edited, { editable_until: end })
    await service.call('DELETE', `${SITE}/comments/${post.id}`, { token })
    const restored = await service.call('POST', `${SITE}/comments/${post.id}/restorations`, {
      token,
    })
    t.match(restored.body, { editable_until: end })
    for (const { now } of [post, edited, restored.body, await viewer()])
      t.ok(now >= post.created_at && now < end, now)
    const path = `${SITE}/comments/${post.id}`
    const call = { token: service.adminKey, body: { body: 'z' } }
    const byModerator = (await service.call('PATCH', path, call)).body
    t.notOk('editable_until' in byModerator, 'it is not their comment')
    t.same((await viewer()).editable, {}, 'the edit of a moderator ends the window')
  },
)

t.test('a repeated response is the first one, with its time', async (t) => {
  const { service, token } = await openAuthor(t)
  const headers = { 'idempotency-key': 'a-key-of-this-test' }
  const send = () =>
    service.call('POST', `${SITE}/articles/a/comments`, { token, headers, body: { body: 'x' } })
  const first = await send()
  t.equal((await send()).text, first.text)
})

t.test(
  'the note of a decision stays with moderators; the answer to an appeal does not',
  async (t) => {
    const { service, token, administer, viewer } = await openAuthor(t)
    const { id } = await service.post('a', 'x', {}, { token })
    const more = { reason: 'off_topic', note: 'internal remark' }
    const { at } = (await service.decide(id, 'approved', 'rejected', more)).body
    const decision = { by: 'moderator', reason: 'off_topic', note: null, at }
    t.same((await viewer()).decided, [{ id, status: 'removed', decision, may_appeal: true }])
    const appealed = await service.call('POST', `${SITE}/comments/${id}/appeals`, {
      token,
      body: { text: 'It is on topic.' },
    })
    t.match((await viewer()).decided, [{ decision, may_appeal: false }])
    const key = await service.makeKey('moderate')
    const answer = { outcome: 'upheld', note: 'It is not.' }
    await service.call('POST', `${SITE}/moderation/appeals/${appealed.body.id}/answers`, {
      token: key,
      body: answer,
    })
    const seen = await viewer()
    t.match(seen.decided, [{ decision: { ...decision, note: 'It is not.' }, may_appeal: false }])
    t.notMatch(JSON.stringify(seen), /internal remark/)
    const others = await service.call('POST', `${SITE}/guests`, { body: { name: 'Otto' } })
    const other = await service.get('/articles/a/viewer', { token: others.body.guest_token })
    t.same(other.body.decided, [])
    const { id: elsewhere } = await service.post('b', 'y', {}, { token })
    await service.decide(elsewhere, 'approved', 'rejected')
    t.equal((await viewer()).decided.length, 1, 'only of this thread')
    await administer('PATCH', '/articles/a', { state: 'hidden' })
    t.same((await viewer()).decided, [])
  },
)

t.test('a comment that was turned down is named for 30 days, and never as held', async (t) => {
  const { service, token, viewer } = await openAuthor(t)
  const { id } = await service.post('a', 'x', {}, { token })
  await service.decide(id, 'approved', 'spam')
  const age = (days: number) =>
    sql`do $$ begin
      alter table decisions disable trigger user;
      update decisions set decided_at = now() - ${sql.lit(days)} * interval '1 day';
      alter table decisions enable trigger user;
    end $$`.execute(service.db)
  await age(29)
  t.match(await viewer(), { decided: [{ id }], pending: [] })
  await age(30)
  t.match(await viewer(), { decided: [], pending: [] })
})
