import { sql } from 'kysely'
import t from 'tap'
import { parse } from 'yaml'
import { IDS } from '../ids.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

/** The admin key of a test service. */
const FIRST_KEY = IDS.write('key', 1)

const SITE = '/v1/sites/default'

type Json = Record<string, any>

const trail = async (service: TestService, query = ''): Promise<Json> =>
  (await service.get(`/moderation/decisions${query}`, { token: service.adminKey })).body

/** Follows the cursors to the end. */
const walk = async (service: TestService, query: string): Promise<string[]> => {
  const ids: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page = await trail(service, `?${query}${cursor && `&cursor=${cursor}`}`)
    ids.push(...page.items.map(({ id }: Json) => id))
    cursor = page.next_cursor
  }
  return ids
}

const asAdmin = (service: TestService, method: string, path: string, body?: object) =>
  service.call(method, `${SITE}${path}`, { token: service.adminKey, ...(body && { body }) })

/** Decisions by two moderators on comments of two authors under two articles. */
const openTrail = async (service: TestService) => {
  await openSignOn(service)
  const moderator = await signToken({ sub: 'mod', name: 'Grace', role: 'moderator' })
  const ada = await service.post('a', 'x')
  const olga = await service.post('b', 'y')
  const { body: first } = await service.decide(ada.id, 'approved', 'spam')
  const { body: second } = await service.decide(olga.id, 'approved', 'pending')
  const { body: third } = await service.call('POST', `${SITE}/comments/${olga.id}/decisions`, {
    token: moderator,
    body: { from: 'pending', to: 'approved', revision: 1 },
  })
  await asAdmin(service, 'PATCH', '/articles/b', { state: 'closed' })
  const [fourth] = (await trail(service)).items
  const ids = [first.id, second.id, third.id, fourth.id]
  return { ada, olga, ids, moderator: third.by as string, key: first.by as string }
}

t.test(
  'an entry of the moderation log says who changed what, from and to which status, by which policy',
  async (t) => {
    const service = await openService(t)
    const { ada, ids, key } = await openTrail(service)
    await sql`update sites set policy_version = 7`.execute(service.db)
    await service.decide(ada.id, 'spam', 'rejected', { reason: 'abusive', note: 'noted' })
    const { items } = await trail(service)
    const moved = { from: 'spam', to: 'rejected', reason: 'abusive', note: 'noted', by: key }
    t.match(items[0], { action: 'status', comment_id: ada.id, ...moved, policy_version: 7 })
    const authors = new Set(items.map(({ author_id: id }: Json) => id))
    t.ok(authors.has(ada.author.id), 'the author of the comment')
    t.ok(authors.has(null), 'a decision on a thread is on no author')
    t.match(items[0], { subject: null, batch_id: null, undoes: null, undone_by: null })
    t.match(items[1], { action: 'thread', subject: 'b', from: null, to: null, policy_version: 0 })
    t.match(items[1], { before: { state: 'open' }, after: { state: 'closed' } })
    t.same(
      items.slice(1).map(({ id }: Json) => id),
      ids.reverse(),
    )
  },
)

t.test('each filter of the moderation log finds its entries, alone and with others', async (t) => {
  const service = await openService(t)
  const { ada, olga, ids, moderator, key } = await openTrail(service)
  const [spam, hold, approve, close] = ids
  const found = async (query: string) =>
    (await trail(service, `?${query}`)).items.map(({ id }: Json) => id)
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

t.test('since and until bound the moderation log exactly', async (t) => {
  const service = await openService(t)
  const [first, second] = ['2026-11-20T10:00:00.000Z', '2026-11-20T10:00:00.001Z']
  await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at)
    values (1, 1, 1, 'approved', 'spam', 'k1', ${first}), (1, 1, 1, 'spam', 'approved', 'k1', ${second})`.execute(
    service.db,
  )
  const found = async (query: string) =>
    (await trail(service, `?${query}`)).items.map(({ at }: Json) => at)
  t.same(await found(`since=${first}`), [second, first])
  t.same(await found(`since=${second}`), [second])
  t.same(await found(`until=${second}`), [first])
  t.same(await found(`since=${first}&until=${first}`), [])
  t.same(await found('until=2001-01-01T00:00:00Z'), [])
  t.same(await found('since=2099-01-01T00:00:00Z'), [])
  const bad = await service.get('/moderation/decisions?since=yesterday', {
    token: service.adminKey,
  })
  t.match(bad, { status: 400, body: { errors: [{ parameter: 'since' }] } })
})

t.test(
  'a walk of the moderation log finds each entry once, also rare ones among many',
  async (t) => {
    const service = await openService(t)
    const { id } = await service.post('a', 'x')
    await service.post('b', 'y')
    const rare = (await service.decide(id, 'approved', 'spam')).body.id
    await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at)
    select 1, 2, 2, 'approved', 'pending', 'k1', now() from generate_series(1, 2500)`.execute(
      service.db,
    )
    await service.decide(id, 'spam', 'approved')
    t.equal((await walk(service, 'limit=100')).length, 2502)
    const page = await trail(
      service,
      `?by=${FIRST_KEY}&author_id=${IDS.write('author', 1)}&action=status`,
    )
    t.equal(page.items.length, 2, 'the author leads')
    const since = '2001-01-01T00:00:00Z'
    const query = `since=${since}&by=${FIRST_KEY}&article_id=a`
    t.equal((await walk(service, query)).length, 2)
    const first = await trail(service, `?action=status&since=${since}&until=2001-02-01T00:00:00Z`)
    t.same(first, { items: [], next_cursor: null })
    t.ok((await walk(service, `by=${FIRST_KEY}&since=${since}`)).includes(rare))
  },
)

t.test('a cursor of the moderation log is bound to its filters', async (t) => {
  const service = await openService(t)
  const { key } = await openTrail(service)
  const { next_cursor: cursor } = await trail(service, `?by=${key}&limit=1`)
  const other = await service.get(`/moderation/decisions?by=k9&limit=1&cursor=${cursor}`, {
    token: service.adminKey,
  })
  t.match(other, { status: 400, body: { code: 'invalid_cursor' } })
})

t.test('an undone entry of the moderation log names its undo', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const { body } = await service.decide(id, 'approved', 'spam')
  await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, decided_by, decided_at, undoes)
    select site_id, thread_id, comment_id, to_status, from_status, decided_by, now(), id from decisions`.execute(
    service.db,
  )
  const [undo, undone] = (await trail(service)).items
  t.match(undo, { undoes: body.id, undone_by: null })
  t.match(undone, { id: body.id, undoes: null, undone_by: undo.id })
})

t.test('no entry of the moderation log holds a text that an erasure must reach', async (t) => {
  const service = await openService(t)
  const { id, author } = await service.post('a', 'marmot one')
  await asAdmin(service, 'PATCH', `/comments/${id}`, { body: 'marmot two' })
  await asAdmin(service, 'POST', `/authors/${author.id}/notes`, { note: 'marmot three' })
  const { items } = await trail(service, `?author_id=${author.id}`)
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
      as('POST', '/moderation/decisions', { comments: [{ id }, { id: other }], to: 'rejected' }),
  ],
  undoDecision: [
    2,
    async (as, { id }) => {
      const move = { from: 'approved', to: 'spam' }
      const { body } = await as('POST', `/comments/${id}/decisions`, move)
      return as('POST', `/moderation/decisions/${body.id}/undos`, {})
    },
  ],
  undoBatch: [
    4,
    async (as, { id, other }) => {
      const order = { comments: [{ id }, { id: other }], to: 'rejected' }
      const { body } = await as('POST', '/moderation/decisions', order)
      return as('POST', `/moderation/batches/${body.batch.id}/undos`, {})
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
      as('POST', `/moderation/appeals/${appeal}/answers`, { outcome: 'overturned', revision: 1 }),
  ],
}

/** Changes that are not decisions: they must not appear in the moderation log. */
const NO_ACTS = ['screenComment', 'simulatePolicy', 'claimComments', 'releaseClaims', 'reportCheck']

/** Comments that all the acts are about, one of them rejected and appealed against by the admin. */
const plant = async (service: TestService): Promise<Made> => {
  const { id, author } = await service.post('a', 'x')
  const { id: reply } = await service.post('a', 'y', { parent_id: id })
  const { id: other } = await service.post('b', 'z')
  const rejected = await service.post('b', 'w')
  await service.decide(rejected.id, 'approved', 'rejected')
  const { body } = await service.call('POST', `${SITE}/comments/${rejected.id}/appeals`, {
    token: rejected.guest_token,
    body: { text: 'Why?' },
  })
  return { id, reply, other, author: author.id, appeal: body.id }
}

t.test(
  'every act of a moderator is in the moderation log once, under the moderator’s name',
  async (t) => {
    for (const [operation, [entries, act]] of Object.entries(ACTS)) {
      await t.test(operation, async (t) => {
        const service = await openService(t)
        const made = await plant(service)
        const token = await service.makeKey('moderate')
        const answers: Json[] = []
        await act(async (method, path, body) => {
          const answer = await service.call(method, `${SITE}${path}`, {
            token,
            ...(body && { body }),
          })
          answers.push(answer)
          return answer
        }, made)
        t.ok(
          answers.every(({ status }) => status < 300),
          `${operation}: ${answers.map(({ status, text }) => `${status} ${text}`).join()}`,
        )
        const { items } = await trail(service, `?by=${IDS.write('key', 2)}`)
        t.equal(items.length, entries, `${operation}: ${items.map(({ action }: Json) => action)}`)
      })
    }
  },
)

t.test('the table of moderators’ acts has every operation that moderates', async (t) => {
  const service = await openService(t)
  const { paths } = parse((await service.call('GET', '/openapi.yaml')).text)
  const operations = Object.values<Json>(paths).flatMap((methods) => Object.entries<Json>(methods))
  const acts = operations
    .filter(([method, { tags }]) => method !== 'get' && tags.includes('moderating'))
    .map(([, { operationId }]) => operationId as string)
  t.same(
    acts.filter((name) => !(name in ACTS) && !NO_ACTS.includes(name)),
    [],
  )
})
