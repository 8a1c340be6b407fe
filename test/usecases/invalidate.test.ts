import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { createLocalCacheTokens } from '../../src/cache/cache-tokens.ts'
import type { CacheTokens } from '../../src/domain/cache-tokens.ts'
import { createByHand } from '../by-hand.ts'
import { IDS } from '../ids.ts'
import { type Answer, openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { openTwin } from '../twin.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const HIDE_WAIT_MS = 300
/** Timers can fire a millisecond early. */
const LEAST_WAIT_MS = HIDE_WAIT_MS - 2

/** Longer than any request may take: a request that waits so long responds with 503. */
const TOO_LONG_MS = 11_000

/** Cache tokens that record the names and the time of each invalidation, and can be made to fail. */
const openRecord = () => {
  const local = createLocalCacheTokens(randomUUID)
  const record = { names: [] as string[][], at: 0, fails: false }
  const tokens: CacheTokens = {
    ...local,
    invalidate: async (names) => {
      record.names.push([...names])
      record.at = performance.now()
      return record.fails ? false : local.invalidate(names)
    },
  }
  return { record, tokens }
}

const openRecorded = async (t: Test, hideWaitMs = HIDE_WAIT_MS) => {
  const { record, tokens } = openRecord()
  const service = await openService(t, { tokens, hideWaitMs })
  return { record, ...service }
}

type Recorded = Awaited<ReturnType<typeof openRecorded>>

const nameOf = ({ id }: Json): string => `1:${IDS.readComment(id)!.threadId}`

const request = (
  { call, adminKey }: TestService,
  method: string,
  path: string,
  { key, token = adminKey, body }: { key?: string | undefined; token?: string; body?: object },
): Promise<Answer> =>
  call(method, `${SITE}${path}`, {
    token,
    body,
    ...(key && { headers: { 'idempotency-key': key } }),
  })

/** A write that hides a comment or its text. */
type Hide = {
  readonly send: (service: TestService, comment: Json, key?: string) => Promise<Answer>
  /** The statuses of the first write, of a second write, and of a replay with the same key. */
  readonly statuses: readonly [first: number, second: number, replay: number]
}

const decide =
  (to: string) =>
  (service: TestService, { id }: Json, key?: string) =>
    request(service, 'POST', `/comments/${id}/decisions`, { key, body: { from: 'approved', to } })

const HIDES: Record<string, Hide> = {
  'a rejection': { send: decide('rejected'), statuses: [201, 409, 201] },
  'a hold': { send: decide('pending'), statuses: [201, 409, 201] },
  'a deletion by its author': {
    send: (service, { id, guest_token: token }, key) =>
      request(service, 'DELETE', `/comments/${id}`, { token, key }),
    statuses: [204, 204, 204],
  },
  'a deletion by a moderator': {
    send: (service, { id }, key) => request(service, 'DELETE', `/comments/${id}`, { key }),
    statuses: [204, 204, 204],
  },
  'an edit': {
    send: (service, { id, guest_token: token }, key) =>
      request(service, 'PATCH', `/comments/${id}`, { token, key, body: { body: 'other words' } }),
    statuses: [200, 200, 200],
  },
  'a hide of the whole thread': {
    send: (service, { article_id: article }, key) =>
      request(service, 'PATCH', `/articles/${article}`, { key, body: { state: 'hidden' } }),
    statuses: [200, 200, 200],
  },
}

/** Returns what a request invalidates, and how long after the invalidation it responds. */
const follow = async (service: Recorded, send: () => Promise<Answer>) => {
  service.record.names = []
  const { status } = await send()
  return { status, names: service.record.names, waitedMs: performance.now() - service.record.at }
}

let articles = 0
const freshKey = (): string => `key-${randomUUID()}`

for (const [what, { send, statuses }] of Object.entries(HIDES))
  t.test(`${what} invalidates caches before every response that shows it`, async (t) => {
    const service = await openRecorded(t)
    const [first, second, replay] = statuses
    const key = freshKey()
    const comment = await service.post(`article-${++articles}`, 'text')
    const names = [['1', nameOf(comment)]]
    t.match(await follow(service, () => send(service, comment, key)), { status: first, names })
    t.match(await follow(service, () => send(service, comment, key)), { status: replay, names })
    t.match(await follow(service, () => send(service, comment)), { status: second, names })
    service.record.fails = true
    for (const used of [key, undefined]) {
      const { waitedMs } = await follow(service, () => send(service, comment, used))
      t.ok(waitedMs >= LEAST_WAIT_MS, `${waitedMs} ms`)
    }
    const another = await service.post(`article-${++articles}`, 'text')
    const uninvalidated = await follow(service, () => send(service, another))
    t.match(uninvalidated, { status: first, names: [['1', nameOf(another)]] })
    t.ok(uninvalidated.waitedMs >= LEAST_WAIT_MS, `${uninvalidated.waitedMs} ms`)
  })

t.test('a hide is committed before it invalidates caches, and responds afterwards', async (t) => {
  const withInvalidation = createByHand<readonly string[], boolean>()
  const local = createLocalCacheTokens(randomUUID)
  const service = await openService(t, { tokens: { ...local, invalidate: withInvalidation.ask } })
  const posting = service.post('a', 'text')
  const { answer: publish } = await withInvalidation.next()
  publish(true)
  const comment = await posting
  for (const [n, { send }] of Object.values(HIDES).entries()) {
    const before = await stored(service)
    const state = { isAnswered: false }
    const hiding = send(service, comment).finally(() => {
      state.isAnswered = true
    })
    const { answer } = await withInvalidation.next()
    if (n === 0) t.not(await stored(service), before, 'it is there for others')
    t.notOk(state.isAnswered)
    answer(true)
    await hiding
  }
})

const stored = async ({ db }: TestService): Promise<string> => {
  const { rows } = await sql`select id, version, state from threads order by id`.execute(db)
  return JSON.stringify(rows)
}

t.test('a forbidden request invalidates no cache', async (t) => {
  const service = await openRecorded(t)
  const comment = await service.post('a', 'text')
  service.record.names = []
  const readKey = await service.makeKey('read')
  for (const token of [readKey, 'x'.repeat(40)])
    for (const { send } of Object.values(HIDES))
      t.ok(
        (await send({ ...service, adminKey: token }, { ...comment, guest_token: token })).status >
          400,
      )
  t.same(service.record.names, [])
})

t.test('a post and its replay invalidate caches before their responses', async (t) => {
  const service = await openRecorded(t)
  const key = freshKey()
  const send = () =>
    request(service, 'POST', '/articles/a/comments', {
      key,
      body: { body: 'text', author: { name: 'Ada' } },
    })
  for (const _ of [1, 2]) {
    service.record.names = []
    const { status, body } = await send()
    t.equal(status, 201)
    t.same(service.record.names, [['1', nameOf(body)]])
  }
})

t.test('a post under a new name invalidates every thread that shows the name', async (t) => {
  const service = await openRecorded(t)
  const first = await service.post('a', 'text')
  const as = { token: first.guest_token }
  const second = await service.post('b', 'text', {}, as)
  await service.post('c', 'of somebody else')
  service.record.names = []
  const third = await service.post('d', 'text', { author: { name: 'Bo' } }, as)
  t.same(service.record.names[0], ['1', nameOf(third)], 'its own at once')
  await until('for the others', () => service.record.names.length > 1)
  const names = ['1', ...[first, second, third].map(nameOf)]
  t.same(service.record.names[1]?.toSorted(), names.toSorted())
})

t.test('posts in one group commit invalidate caches together', async (t) => {
  const service = await openRecorded(t)
  const first = await service.post('a', 'text')
  service.record.names = []
  await Promise.all(Array.from({ length: 20 }, (_, n) => service.post('a', `text ${n}`)))
  t.ok(service.record.names.length < 20, `${service.record.names.length} announcements`)
  for (const names of service.record.names) t.same(names, ['1', nameOf(first)])
})

t.test('an approval does not wait when invalidation fails', async (t) => {
  const service = await openRecorded(t, TOO_LONG_MS)
  const { id } = await service.post('a', 'text')
  await service.decide(id, 'approved', 'rejected')
  service.record.fails = true
  await t.resolves(service.post('a', 'news'))
  t.equal((await service.decide(id, 'rejected', 'approved')).status, 201)
})

t.test('an approval that cascades does not wait when invalidation fails', async (t) => {
  const service = await openRecorded(t, TOO_LONG_MS)
  const { id } = await service.post('a', 'text')
  await service.decide(id, 'approved', 'rejected')
  service.record.fails = true
  const { status } = await service.decide(id, 'rejected', 'approved', { replies: 'same' })
  t.equal(status, 201)
})

t.test(
  'a refused approval waits when invalidation fails, because it may reveal a hide',
  async (t) => {
    const service = await openRecorded(t)
    const { id } = await service.post('a', 'text')
    await service.decide(id, 'approved', 'rejected')
    service.record.fails = true
    const refused = await follow(service, () => service.decide(id, 'pending', 'approved'))
    t.equal(refused.status, 409)
    t.ok(refused.waitedMs >= LEAST_WAIT_MS, `${refused.waitedMs} ms`)
  },
)

t.test('a held comment invalidates no cache', async (t) => {
  const service = await openRecorded(t)
  const root = await service.post('a', 'text')
  const twin = await openTwin(t, service)
  await request(service, 'PATCH', '/articles/a', { body: { moderation: 'pre' } })
  const look = async () => {
    const paths = ['/articles/a', '/articles/a/comments', `/comments/${root.id}`, '/comments']
    const answers = [service.app, twin].flatMap((app) =>
      paths.map((path) => app.inject({ url: `${SITE}${path}` })),
    )
    return (await Promise.all(answers)).map(({ headers, body }) => [headers.etag, body])
  }
  const [before, version] = [await look(), await stored(service)]
  service.record.names = []
  service.record.fails = true
  const { id, status } = await service.post('a', 'held', { parent_id: root.id })
  t.equal(status, 'pending')
  t.same(service.record.names, [], 'and invalidates no cache')
  t.equal((await service.decide(id, 'pending', 'rejected')).status, 201)
  t.same(await look(), before)
  t.equal(await stored(service), version)
})
