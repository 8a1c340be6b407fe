import { sql } from 'kysely'
import t from 'tap'
import { readFacts, storedFacts } from '../../src/postgres/screening/stored-judgements.ts'
import { openSignOn, signToken } from '../members.ts'
import { type Answer, type Call, openService, type TestService } from '../service.ts'
import { openTwin } from '../twin.ts'

const SITE = '/v1/sites/default'

/** Posts "hello" as a new guest in article `a`, or as the change says, without an Idempotency-Key. */
const click = (service: TestService, change: Record<string, unknown> = {}, options: Call = {}) =>
  service.call('POST', `${SITE}/articles/a/comments`, {
    ...options,
    body: { body: 'hello', ...(options.token ? {} : { author: { name: 'Ada' } }), ...change },
  })

const countOf = async (service: TestService): Promise<number> =>
  (await service.get('/articles/a/comments')).body.thread.comment_count

/** Each response has its own `now`. */
const timeless = ({ body }: Answer) => ({ ...body, now: '' })

t.test('a second post of the same text answers with the comment that is there', async (t) => {
  const service = await openService(t)
  const first = await click(service)
  const second = await click(service)
  t.match([first.status, second.status], [201, 201])
  t.same(timeless(second), timeless(first), 'with the token of the same guest')
  const { guest_token: token, id } = first.body
  const reply = { body: 'me too', parent_id: id }
  const own = await click(service, reply, { token })
  t.equal((await click(service, reply, { token })).body.id, own.body.id)
  t.equal(await countOf(service), 2)
})

t.test('parallel posts of the same text make one comment on two nodes', async (t) => {
  const service = await openService(t)
  const twin = await openTwin(t, service)
  const payload = { body: 'hello', author: { name: 'Ada' } }
  const url = `${SITE}/articles/a/comments`
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      [service.app, twin][n % 2]!.inject({ method: 'POST', url, payload }),
    ),
  )
  t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([201]))
  t.equal(new Set(answers.map((answer) => answer.json().id)).size, 1)
  t.equal(new Set(answers.map((answer) => answer.json().guest_token)).size, 1)
  t.equal(await countOf(service), 1)
})

t.test('a second post of a held text says no more than the first', async (t) => {
  const service = await openService(t)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  const first = await click(service)
  const second = await click(service)
  t.match([first.status, second.status], [202, 202])
  t.same(timeless(second), timeless(first))
})

t.test('another text, place or writer, a key or a deletion make another comment', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  const { id, guest_token: token } = (await click(service)).body
  const others = [
    await click(service, { body: 'hello!' }),
    await click(service, { parent_id: id }),
    await click(service, { author: { name: 'Grace' } }),
    await click(service, { author: { name: 'Ada', email: 'ada@example.org' } }),
    await click(service, {}, { headers: { 'idempotency-key': 'another-key-entirely' } }),
    await click(service, {}, { token: await signToken({ sub: 'ada' }) }),
    await click(service, {}, { token: await signToken({ sub: 'grace' }) }),
  ]
  t.equal(new Set([id, ...others.map(({ body }) => body.id)]).size, others.length + 1)
  await service.call('DELETE', `${SITE}/comments/${id}`, { token })
  t.not((await click(service, {}, { token })).body.id, id)
})

t.test('the same text 31 seconds later is another comment', async (t) => {
  const service = await openService(t)
  const { body } = await click(service)
  await sql`update comments set created_at = created_at - interval '31 seconds'`.execute(service.db)
  t.not((await click(service)).body.id, body.id)
})

t.test(
  'of the same text in eight threads together, each post counts the earlier ones',
  async (t) => {
    const service = await openService(t)
    const twin = await openTwin(t, service)
    const text = 'the very same offer for everybody who reads this page'
    const texts = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? text : `${text} ${n}`))
    const answers = await Promise.all(
      texts.map((body, n) =>
        [service.app, twin][n % 2]!.inject({
          method: 'POST',
          url: `${SITE}/articles/t${n}/comments`,
          payload: { body, author: { name: `Guest ${n}` } },
        }),
      ),
    )
    t.ok(answers.every(({ statusCode }) => statusCode < 300))
    const { rows } = await sql<{ facts: string }>`
      select ${storedFacts} as facts from comments c`.execute(service.db)
    const seen = rows
      .map(({ facts }) => readFacts(facts).repeats)
      .map(({ same, near }) => same + near)
    t.same(
      seen.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7],
    )
  },
)
