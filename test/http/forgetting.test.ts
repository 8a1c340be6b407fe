import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { dump } from '../dump.ts'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { FILL_TALLIES } from '../tallies.ts'
import { openTwin } from '../twin.ts'
import { during, PATIENCE_MS, untilSomebodyWaits } from '../usecases/posting.ts'

const SITE = '/v1/sites/default'
const MARK = 'quince-mark'

const erase = (service: TestService, id: string, token: string | undefined) =>
  service.call('DELETE', `${SITE}/authors/${id}`, { token })

/** Erases, and waits for what has no time in the answer. @returns whether it is so */
const isErased = async (service: TestService, id: string, token: string): Promise<boolean> => {
  const { status } = await erase(service, id, token)
  if (status === 202) await untilTasksEnd(service)
  return status === 202 || status === 204
}

const untilTasksEnd = (service: TestService) =>
  until('for the task to end', async () => {
    const { rows } = await sql`select 1 from jobs where kind = 'erase_author'`.execute(service.db)
    return rows.length === 0
  })

/** A guest who has left the mark wherever it can. */
const leaveMarks = async (service: TestService) => {
  const author = {
    name: `Ada ${MARK}`,
    url: `https://${MARK}.example`,
    email: `${MARK}@example.org`,
  }
  const headers = { 'idempotency-key': 'a key that is long enough'.replaceAll(' ', '-') }
  const root = await service.post('a', `root ${MARK}`, { author }, { headers })
  const token = root.guest_token
  const reply = await service.post('a', `reply ${MARK}`, { parent_id: root.id }, { token })
  const other = await service.post('a', 'of somebody else', { parent_id: reply.id })
  const alone = await service.post('b', `alone ${MARK}`, {}, { token })
  const held = await service.post('b', `held ${MARK}`, {}, { token })
  await service.decide(held.id, 'approved', 'spam')
  const appeal = { token, headers, body: { text: `appeal ${MARK}` } }
  await service.call('POST', `${SITE}/comments/${held.id}/appeals`, appeal)
  const path = `${SITE}/comments/${alone.id}`
  await service.call('PATCH', path, { token, body: { body: `edited ${MARK}` }, headers })
  const opinion = { token, headers, body: { reason: 'spam', note: `note ${MARK}` } }
  await service.call('POST', `${SITE}/comments/${other.id}/flags`, opinion)
  await service.call('PUT', `${SITE}/comments/${other.id}/vote`, { token, body: { value: 1 } })
  await service.call('POST', `${SITE}/authors/${root.author.id}/notes`, {
    token: service.adminKey,
    headers,
    body: { note: `noted ${MARK}` },
  })
  return { token, root, reply, other, alone, id: root.author.id as string }
}

t.test('eraseAuthor removes all data of a guest and keeps the tree and its counts', async (t) => {
  const service = await openService(t)
  const { token, root, reply, other, alone, id } = await leaveMarks(service)
  t.match(await dump(service), MARK)
  t.ok(await isErased(service, id, token))
  t.notMatch(await dump(service), MARK)
  const { body } = await service.get('/articles/a/comments')
  t.match(body.items, [{ id: root.id, status: 'deleted', author: null, body: null }])
  t.match(body.items[0].replies.items, [{ id: reply.id, status: 'deleted' }])
  t.match(body.items[0].replies.items[0].replies.items, [{ id: other.id, upvotes: 1 }])
  t.equal(body.thread.comment_count, 1)
  t.equal((await service.get(`/comments/${alone.id}`)).status, 404)
  t.same(await recount(service.db), [])
})

t.test('the token of an erased guest is refused', async (t) => {
  const service = await openService(t)
  const { token, id } = await leaveMarks(service)
  await isErased(service, id, token)
  t.match(await service.get('/config', { token }), { headers: { 'guest-token': 'stale' } })
  t.equal((await erase(service, id, token)).status, 401)
  t.equal(
    (await erase(service, id, service.adminKey)).status,
    204,
    'a second time it is no different',
  )
})

t.test('no decision restores an erased comment', async (t) => {
  const service = await openService(t)
  const { token, root, id } = await leaveMarks(service)
  await isErased(service, id, token)
  const restored = await service.decide(root.id, 'deleted', 'approved')
  t.match(restored, { status: 409, body: { code: 'move_not_allowed' } })
  const edit = { token: service.adminKey, body: { body: 'x' } }
  t.equal((await service.call('PATCH', `${SITE}/comments/${root.id}`, edit)).status, 404)
})

t.test('no cascade restores an erased reply', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'root')
  const erased = await service.post('a', MARK, { parent_id: root.id })
  await service.post('a', 'below', { parent_id: erased.id })
  await service.decide(root.id, 'approved', 'deleted', { replies: 'same' })
  await isErased(service, erased.author.id, erased.guest_token)
  t.equal((await service.decide(root.id, 'deleted', 'approved', { replies: 'same' })).status, 201)
  const { body } = await service.get('/articles/a/comments')
  t.equal(body.thread.comment_count, 2)
  const [reply] = body.items[0].replies.items
  t.match(reply, { id: erased.id, status: 'deleted', author: null, body: null })
  t.match(reply.replies.items, [{ body: 'below', status: 'approved' }])
  t.same(await recount(service.db), [])
})

t.test(
  'eraseAuthor keeps an answered appeal without its text and deletes other appeals',
  async (t) => {
    const service = await openService(t)
    const { token, alone, id } = await leaveMarks(service)
    await service.decide(alone.id, 'approved', 'rejected')
    const appeal = { token, body: { text: MARK } }
    const { body } = await service.call('POST', `${SITE}/comments/${alone.id}/appeals`, appeal)
    await service.call('POST', `${SITE}/moderation/appeals/${body.id}/answers`, {
      token: await service.makeKey('moderate'),
      body: { outcome: 'upheld' },
    })
    await erase(service, id, token)
    const list = async (state: string) =>
      (await service.get(`/moderation/appeals?status=${state}`, { token: service.adminKey })).body
        .items
    t.same(await list('waiting'), [])
    t.match(await list('answered'), [{ id: body.id, text: '', outcome: 'upheld' }])
  },
)

t.test('eraseAuthor erases a member, and an earlier token does not create it again', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const now = Math.floor(Date.now() / 1000)
  const claims = { sub: `u-${MARK}`, name: MARK, email: `${MARK}@example.org`, iat: now - 10 }
  const token = await signToken(claims)
  const { author } = await service.post('a', `x ${MARK}`, {}, { token })
  t.ok(await isErased(service, author.id, token))
  t.notMatch(await dump(service), MARK)
  t.equal((await service.get('/config', { token })).status, 401)
  const next = await signToken({ ...claims, iat: now + 5 })
  const again = await service.post('a', 'back', {}, { token: next })
  t.not(again.author.id, author.id, 'whoever comes back is somebody new')
})

t.test(
  'an earlier member token is recognised by its time, though its clock is ahead',
  async (t) => {
    const service = await openService(t)
    await openSignOn(service)
    const iat = Math.floor(Date.now() / 1000) + 50
    const token = await signToken({ iat })
    const { author } = await service.post('a', 'x', {}, { token })
    t.ok(await isErased(service, author.id, token))
    t.equal((await service.get('/config', { token })).status, 401)
    t.equal(
      (await service.get('/config', { token: await signToken({ iat: iat + 1 }) })).status,
      200,
    )
  },
)

t.test('only the author and administrators can erase and export', async (t) => {
  const service = await openService(t)
  const { id } = await leaveMarks(service)
  const { guest_token: stranger } = await service.post('c', 'x')
  const quiet = (await service.call('POST', `${SITE}/guests`, { body: { name: 'Quiet' } })).body
  const moderator = await service.makeKey('moderate')
  const asked = async (who: string, token: string | undefined) => [
    (await erase(service, who, token)).status,
    (await service.get(`/authors/${who}/export`, { token })).status,
  ]
  t.same(await asked(id, undefined), [401, 401])
  t.same(await asked(id, stranger), [403, 403])
  t.same(await asked(id, moderator), [403, 403])
  t.same(await asked(quiet.author.id, stranger), [404, 404], 'whom readers do not see is not there')
  t.same(await asked('azzzz', service.adminKey), [404, 404])
  t.same(await asked('nonsense', service.adminKey), [404, 404])
  t.match(await dump(service), MARK, 'and nothing has gone')
})

t.test('exportAuthor returns all data of an author and leaves an audit entry', async (t) => {
  const service = await openService(t)
  const { token, root, reply, other, alone, id } = await leaveMarks(service)
  const { body, headers } = await service.get(`/authors/${id}/export`, { token })
  t.equal(headers['cache-control'], 'private, no-store')
  t.match(body.author, { id, kind: 'guest', name: `Ada ${MARK}`, email: `${MARK}@example.org` })
  const said = body.comments.map((comment: Record<string, unknown>) => [comment.id, comment.status])
  t.same(said.slice(0, 3), [
    [root.id, 'approved'],
    [reply.id, 'approved'],
    [alone.id, 'approved'],
  ])
  t.same(said[3][1], 'pending', 'whether it is spam is not for its author to know')
  t.match(body.comments[2].revisions, [{ revision: 1, body: `alone ${MARK}` }])
  t.match(body.votes, [{ comment_id: other.id, value: 1 }])
  t.match(body.flags, [{ comment_id: other.id, reason: 'spam', note: `note ${MARK}` }])
  t.match(body.appeals, [{ text: `appeal ${MARK}`, outcome: null }])
  t.match(body.notes, [{ note: `noted ${MARK}`, by: /^k/ }])
  const { items } = (await service.get('/audit', { token: service.adminKey })).body
  t.match(items[0], { action: 'author_exported', subject: id, by: id })
})

t.test('exportAuthor returns more than a batch completely', async (t) => {
  const service = await openService(t)
  const { guest_token: token, author } = await service.post('a', 'x')
  await sql`
    insert into comments (site_id, thread_id, author_id, status, created_at, published_at,
      body, body_html, renderer)
    select site_id, thread_id, author_id, case when n % 3 = 0 then 'rejected' else 'approved' end::comment_status,
      created_at, published_at, 'comment ' || n, '<p>', renderer
    from comments, generate_series(1, 1200) n`.execute(service.db)
  await sql.raw(FILL_TALLIES).execute(service.db)
  const { body } = await service.get(`/authors/${author.id}/export`, { token })
  t.equal(body.comments.length, 1201)
  t.equal(new Set(body.comments.map(({ id }: { id: string }) => id)).size, 1201)
})

t.test('posts of a guest during an erasure are erased or refused', async (t) => {
  const service = await openService(t)
  const other = await openTwin(t, service)
  const { token, id } = await leaveMarks(service)
  const post = async (n: number) => {
    const { statusCode } = await [service.app, other][n % 2]!.inject({
      method: 'POST',
      url: `${SITE}/articles/a${n % 4}/comments`,
      headers: { authorization: `Bearer ${token}` },
      payload: { body: `late ${MARK}` },
    })
    return statusCode
  }
  const posts = Array.from({ length: 30 }, (_, n) => post(n))
  const [erased, ...statuses] = await Promise.all([isErased(service, id, token), ...posts])
  t.ok(statuses.every((status) => status === 201 || status === 401))
  t.ok(erased)
  t.notMatch(await dump(service), MARK)
  t.same(await recount(service.db), [])
})

t.test('an edit overtaken by an erasure is remembered under no Idempotency-Key', async (t) => {
  const service = await openService(t)
  const { id, author, guest_token: token } = await service.post('a', 'x')
  const edit = (at: string) =>
    service.call('PATCH', `${SITE}/comments/${id}`, {
      token: at,
      headers: { 'idempotency-key': `a-key-for-this-edit-${at.slice(0, 4)}` },
      body: { body: `edited ${MARK}` },
    })
  const acts = await during(service, sql`select from threads for update`, async () => {
    const editing = edit(token)
    await untilSomebodyWaits(service, 1, PATIENCE_MS)
    const erasing = isErased(service, author.id, token)
    await untilSomebodyWaits(service, 2)
    return [editing, erasing] as const
  })
  const [edited, erased] = await Promise.all(acts)
  t.match([edited.status, erased], [200, true])
  t.notMatch(await dump(service), MARK)
  t.match(await edit(service.adminKey), { status: 404 })
})

t.test('readers see no comment of an erased author from the 202 on, on every node', async (t) => {
  const service = await openService(t)
  const twin = await openTwin(t, service)
  const first = await service.post('a0', `first ${MARK}`)
  const { author, guest_token: token } = first
  const articles = Array.from({ length: 12 }, (_, n) => `a${n}`)
  for (const article of articles.slice(1)) await service.post(article, `x ${MARK}`, {}, { token })
  await sql`
    insert into comments (site_id, thread_id, author_id, status, created_at, published_at, body,
      body_html, renderer)
    select site_id, thread_id, author_id, status, created_at, published_at, body, body_html, renderer
    from comments, generate_series(1, 300)`.execute(service.db)
  await sql.raw(FILL_TALLIES).execute(service.db)
  await sql`update threads set comment_count = 301, root_count = 301`.execute(service.db)
  const paths = [
    ...articles.map((article) => `/articles/${article}/comments`),
    '/comments?limit=100',
    `/authors/${author.id}/comments`,
    `/comments/${first.id}`,
  ]
  /** The paths whose pages show the author, as each node answers. */
  const showing = () =>
    Promise.all(
      [service.app, twin].flatMap((app) =>
        paths.map(async (path) => {
          const { payload } = await app.inject({ url: `${SITE}${path}` })
          return payload.includes(MARK) ? path : ''
        }),
      ),
    )
  t.same(await showing(), [...paths, ...paths])
  t.equal((await erase(service, author.id, token)).status, 202)
  t.same((await showing()).filter(Boolean), [])
  t.match(await dump(service), MARK, 'the erasure is still at work')
})

t.test('a late retry does not publish an erased author again', async (t) => {
  const service = await openService(t)
  const retry = () =>
    service.call('POST', `${SITE}/articles/a/comments`, {
      headers: { 'idempotency-key': 'the-key-of-a-first-post' },
      body: { body: MARK, author: { name: `Ada ${MARK}` } },
    })
  const { body } = await retry()
  t.ok(await isErased(service, body.author.id, body.guest_token))
  t.match(await retry(), { status: 410, body: { code: 'author_erased' } })
  t.notMatch(await dump(service), MARK)
})

t.test('a ban on the e-mail of an erased author holds, without its domain', async (t) => {
  const service = await openService(t)
  const author = { name: 'Ada', email: `ada@${MARK}.example` }
  const { author: ada, guest_token: token } = await service.post('a', 'x', { author })
  await service.call('POST', `${SITE}/moderation/bans`, {
    token: service.adminKey,
    body: { kind: 'email', value: author.email, effect: 'block' },
  })
  t.ok(await isErased(service, ada.id, token))
  t.notMatch(await dump(service), MARK)
  const bans = await service.call('GET', `${SITE}/moderation/bans`, { token: service.adminKey })
  t.match(bans.body.items, [{ kind: 'email', value: null, in_force: true }])
  const again = { body: { body: 'y', author } }
  t.equal((await service.call('POST', `${SITE}/articles/a/comments`, again)).status, 403)
})

t.test('an erasure that takes long goes on after the response', async (t) => {
  const service = await openService(t)
  const { token, id } = await leaveMarks(service)
  const erasing = await during(service, sql`select from comments for update`, async () => {
    const erasing = erase(service, id, token)
    await untilSomebodyWaits(service)
    await sleep(1_100)
    return [erasing] as const
  })
  t.match(await erasing[0], { status: 202, body: { status: 'running' } })
  t.equal((await service.get('/config', { token })).headers['guest-token'], 'stale', 'already')
  await untilTasksEnd(service)
  t.notMatch(await dump(service), MARK)
  t.same(await recount(service.db), [])
})

t.test('an erasure that a killed node left is finished by another', async (t) => {
  const service = await openService(t)
  const { token } = await leaveMarks(service)
  await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    select site_id, 'erase_author', id, jsonb_build_object('authorId', id), now(), now()
    from authors where name like ${`%${MARK}%`}`.execute(service.db)
  await sql`update authors set erased_at = now(), name = 'Erased' where name like ${`%${MARK}%`}`.execute(
    service.db,
  )
  t.equal((await service.get('/config', { token })).headers['guest-token'], 'stale')
  service.kick('erase_author')
  await until('for the texts to go', async () => {
    const { rows } = await sql`select 1 from comments where body like ${`%${MARK}%`}`.execute(
      service.db,
    )
    return rows.length === 0
  })
  await untilTasksEnd(service)
  t.same(await recount(service.db), [])
})
