import { sql } from 'kysely'
import t from 'tap'
import { parse } from 'yaml'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

type Json = Record<string, any>

const trail = async (world: TestService, query = ''): Promise<Json> =>
  (await world.get(`/moderation/decisions${query}`, { token: world.adminKey })).body

/** Follows the cursors to the end. */
const walk = async (world: TestService, query: string): Promise<string[]> => {
  const ids: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page = await trail(world, `?${query}${cursor && `&cursor=${cursor}`}`)
    ids.push(...page.items.map(({ id }: Json) => id))
    cursor = page.next_cursor
  }
  return ids
}

const asAdmin = (world: TestService, method: string, path: string, body?: object) =>
  world.call(method, `${SITE}${path}`, { token: world.adminKey, ...(body && { body }) })

/** Decisions by two moderators on comments of two authors under two articles. */
const openTrail = async (world: TestService) => {
  await openSignOn(world)
  const moderator = await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' })
  const ada = await world.post('a', 'x')
  const olga = await world.post('b', 'y')
  const { body: first } = await world.decide(ada.id, 'approved', 'spam')
  const { body: second } = await world.decide(olga.id, 'approved', 'pending')
  const { body: third } = await world.call('POST', `${SITE}/comments/${olga.id}/decisions`, {
    token: moderator,
    body: { from: 'pending', to: 'approved' },
  })
  await asAdmin(world, 'PATCH', '/articles/b', { state: 'closed' })
  const [fourth] = (await trail(world)).items
  const ids = [first.id, second.id, third.id, fourth.id]
  return { ada, olga, ids, moderator: third.by as string, key: first.by as string }
}

t.test('an entry says who did what to whom, from what to what, and by which policy', async (t) => {
  const world = await openService(t)
  const { ada, ids, key } = await openTrail(world)
  await sql`update sites set policy_version = 7`.execute(world.db)
  await world.decide(ada.id, 'spam', 'rejected', { reason: 'abusive', note: 'noted' })
  const { items } = await trail(world)
  const moved = { from: 'spam', to: 'rejected', reason: 'abusive', note: 'noted', by: key }
  t.match(items[0], { action: 'status', comment_id: ada.id, ...moved, policy_version: 7 })
  t.match(items[0], { subject: null, batch_id: null, undoes: null, undone_by: null })
  t.match(items[1], { action: 'thread', subject: 'b', from: null, to: null, policy_version: 0 })
  t.match(items[1], { before: { state: 'open' }, after: { state: 'closed' } })
  t.same(
    items.slice(1).map(({ id }: Json) => id),
    ids.reverse(),
  )
})

t.test('each filter finds what it names, alone and with others', async (t) => {
  const world = await openService(t)
  const { ada, olga, ids, moderator, key } = await openTrail(world)
  const [spam, hold, approve, close] = ids
  const found = async (query: string) =>
    (await trail(world, `?${query}`)).items.map(({ id }: Json) => id)
  t.same(await found(`comment_id=${olga.id}`), [approve, hold])
  t.same(await found(`author_id=${ada.author.id}`), [spam])
  t.same(await found('article_id=b'), [close, approve, hold])
  t.same(await found(`by=${moderator}`), [approve])
  t.same(await found('action=thread'), [close])
  t.same(await found('action=status'), [approve, hold, spam])
  t.same(await found(`by=${key}&article_id=b`), [close, hold])
  t.same(await found(`by=${key}&article_id=b&action=status`), [hold])
  t.same(await found(`comment_id=${ada.id}&author_id=${olga.author.id}`), [])
  for (const query of [
    'comment_id=c9-9',
    'comment_id=x',
    'author_id=x',
    'batch_id=b1',
    'batch_id=x',
  ])
    t.same(await found(query), [], query)
  t.same(await found('article_id=never&by=nobody'), [])
})

t.test('times bound it exactly, from and until', async (t) => {
  const world = await openService(t)
  const [first, second] = ['2026-11-20T10:00:00.000Z', '2026-11-20T10:00:00.001Z']
  await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at)
    values (1, 1, 1, 'approved', 'spam', 'k1', ${first}), (1, 1, 1, 'spam', 'approved', 'k1', ${second})`.execute(
    world.db,
  )
  const found = async (query: string) =>
    (await trail(world, `?${query}`)).items.map(({ at }: Json) => at)
  t.same(await found(`since=${first}`), [second, first])
  t.same(await found(`since=${second}`), [second])
  t.same(await found(`until=${second}`), [first])
  t.same(await found(`since=${first}&until=${first}`), [])
  t.same(await found('until=2001-01-01T00:00:00Z'), [])
  t.same(await found('since=2099-01-01T00:00:00Z'), [])
  const bad = await world.get('/moderation/decisions?since=yesterday', { token: world.adminKey })
  t.match(bad, { status: 400, body: { errors: [{ parameter: 'since' }] } })
})

t.test('a walk finds each once, also what is rare among many of others', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  await world.post('b', 'y')
  const rare = (await world.decide(id, 'approved', 'spam')).body.id
  await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at)
    select 1, 2, 2, 'approved', 'pending', 'k1', now() from generate_series(1, 7000)`.execute(
    world.db,
  )
  await world.decide(id, 'spam', 'approved')
  t.equal((await walk(world, 'limit=100')).length, 7002)
  const page = await trail(world, '?by=k1&author_id=a1&action=status')
  t.equal(page.items.length, 2, 'the author leads')
  const since = '2001-01-01T00:00:00Z'
  const query = `since=${since}&by=k1&article_id=a`
  t.equal((await walk(world, query)).length, 2)
  const first = await trail(world, `?action=status&since=${since}&until=2001-02-01T00:00:00Z`)
  t.same(first, { items: [], next_cursor: null })
  t.ok((await walk(world, `by=k1&since=${since}`)).includes(rare))
})

t.test('a cursor is good for its own filters', async (t) => {
  const world = await openService(t)
  const { key } = await openTrail(world)
  const { next_cursor: cursor } = await trail(world, `?by=${key}&limit=1`)
  const other = await world.get(`/moderation/decisions?by=k9&limit=1&cursor=${cursor}`, {
    token: world.adminKey,
  })
  t.match(other, { status: 400, body: { code: 'invalid_cursor' } })
})

t.test('what was taken back names what took it back', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  const { body } = await world.decide(id, 'approved', 'spam')
  await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at, undoes)
    select site_id, thread_id, comment_id, to_status, from_status, decided_by, now(), id from decisions`.execute(
    world.db,
  )
  const [undo, undone] = (await trail(world)).items
  t.match(undo, { undoes: body.id, undone_by: null })
  t.match(undone, { id: body.id, undoes: null, undone_by: undo.id })
})

t.test('no entry holds a text that an erasure must reach', async (t) => {
  const world = await openService(t)
  const { id, author } = await world.post('a', 'marmot one')
  await asAdmin(world, 'PATCH', `/comments/${id}`, { body: 'marmot two' })
  await asAdmin(world, 'POST', `/authors/${author.id}/notes`, { note: 'marmot three' })
  const { items } = await trail(world, `?author_id=${author.id}`)
  t.same(
    items.map(({ action }: Json) => action),
    ['note', 'edit'],
  )
  t.match(items[0], { subject: author.id, comment_id: null })
  t.match(items[1], { comment_id: id, before: { revision: 1 }, after: { revision: 2 } })
  t.notMatch(JSON.stringify(items), /marmot/)
})

type Acting = (
  as: (method: string, path: string, body?: object) => Promise<Json>,
  made: Made,
) => unknown
type Made = { id: string; reply: string; other: string; author: string; appeal: string }

/** Each of a moderator's acts, and how many entries it leaves: one for each comment that it changes. */
const ACTS: Record<string, [entries: number, act: Acting]> = {
  decideComment: [
    2,
    (as, { id }) =>
      as('POST', `/comments/${id}/decisions`, { from: 'approved', to: 'spam', replies: 'same' }),
  ],
  decideMany: [
    2,
    (as, { id, other }) =>
      as('POST', '/moderation/decisions', { comment_ids: [id, other], to: 'rejected' }),
  ],
  undoDecision: [
    2,
    async (as, { id }) => {
      const move = { from: 'approved', to: 'spam' }
      const { body } = await as('POST', `/comments/${id}/decisions`, move)
      return as('POST', `/moderation/decisions/${body.id}/undo`, {})
    },
  ],
  undoBatch: [
    4,
    async (as, { id, other }) => {
      const order = { comment_ids: [id, other], to: 'rejected' }
      const { body } = await as('POST', '/moderation/decisions', order)
      return as('POST', `/moderation/batches/${body.batch.id}/undo`, {})
    },
  ],
  deleteComment: [1, (as, { id }) => as('DELETE', `/comments/${id}`)],
  editComment: [1, (as, { id }) => as('PATCH', `/comments/${id}`, { body: 'changed' })],
  pinComment: [1, (as, { id }) => as('PUT', `/comments/${id}/pin`, { pinned: true })],
  lockComment: [2, (as, { id }) => as('PUT', `/comments/${id}/lock`, { locked: true })],
  moveComment: [1, (as, { other }) => as('POST', `/comments/${other}/moves`, { article_id: 'c' })],
  mergeThreads: [3, (as) => as('POST', '/articles/b/merges', { into: 'a' })],
  updateThread: [1, (as) => as('PATCH', '/articles/a', { state: 'closed' })],
  createBan: [
    1,
    (as, { author }) =>
      as('POST', '/moderation/bans', {
        kind: 'author',
        value: author,
        effect: 'block',
        reason: 'spam',
      }),
  ],
  liftBan: [
    2,
    async (as, { author }) => {
      const ban = { kind: 'author', value: author, effect: 'block', reason: 'spam' }
      const { body } = await as('POST', '/moderation/bans', ban)
      return as('DELETE', `/moderation/bans/${body.id}`)
    },
  ],
  addAuthorNote: [1, (as, { author }) => as('POST', `/authors/${author}/notes`, { note: 'x' })],
  answerAppeal: [
    2,
    (as, { appeal }) =>
      as('POST', `/moderation/appeals/${appeal}/answers`, { outcome: 'overturned' }),
  ],
}

/** What changes nothing that anybody else could see, and what a service outside says. */
const NO_ACTS = ['screenComment', 'simulatePolicy', 'claimComments', 'releaseClaims', 'reportCheck']

/** Comments that all the acts are about, one of them rejected and appealed against by the admin. */
const plant = async (world: TestService): Promise<Made> => {
  const { id, author } = await world.post('a', 'x')
  const { id: reply } = await world.post('a', 'y', { parent_id: id })
  const { id: other } = await world.post('b', 'z')
  const rejected = await world.post('b', 'w')
  await world.decide(rejected.id, 'approved', 'rejected')
  const { body } = await world.call('POST', `${SITE}/comments/${rejected.id}/appeals`, {
    token: rejected.guest_token,
    body: { text: 'Why?' },
  })
  return { id, reply, other, author: author.id, appeal: body.id }
}

t.test('whatever a moderator does is in the audit trail, once, and under its name', async (t) => {
  for (const [operation, [entries, act]] of Object.entries(ACTS)) {
    const world = await openService(t)
    const made = await plant(world)
    const token = await world.makeKey('moderate')
    const answers: Json[] = []
    await act(async (method, path, body) => {
      const answer = await world.call(method, `${SITE}${path}`, { token, ...(body && { body }) })
      answers.push(answer)
      return answer
    }, made)
    t.ok(
      answers.every(({ status }) => status < 300),
      `${operation}: ${answers.map(({ status, text }) => `${status} ${text}`).join()}`,
    )
    const { items } = await trail(world, '?by=k2')
    t.equal(items.length, entries, `${operation}: ${items.map(({ action }: Json) => action)}`)
  }
})

t.test('the table has every act of moderators that there is', async (t) => {
  const world = await openService(t)
  const { paths } = parse((await world.call('GET', '/openapi.yaml')).text)
  const operations = Object.values<Json>(paths).flatMap((methods) => Object.entries<Json>(methods))
  const acts = operations
    .filter(([method, { tags }]) => method !== 'get' && tags.includes('moderating'))
    .map(([, { operationId }]) => operationId as string)
  t.same(
    acts.filter((name) => !(name in ACTS) && !NO_ACTS.includes(name)),
    [],
  )
})
