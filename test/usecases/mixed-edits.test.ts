import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { threadToken } from '../../src/domain/cache-tokens.ts'
import type { CommentKey } from '../../src/domain/public-id.ts'
import { findSite } from '../../src/postgres/service/sites.ts'
import type { Edited } from '../../src/usecases/editing/edit-comment.ts'
import { goBy } from '../policies.ts'
import { recount } from '../recount.ts'
import { openTwin } from '../twin.ts'
import { edit, type SomeEdit } from './editing.ts'
import { guest, openPosting, type Posting } from './posting.ts'

type Own = Pick<SomeEdit, 'caller' | 'comment'>

const aText = (): string => randomUUID()

/** Posts one comment of its own guest in each of so many threads. */
const plant = async ({ publish }: Posting, count: number): Promise<Own[]> => {
  const posted = await publish(
    Array.from({ length: count }, (_, n) => ({
      articleId: `thread ${n}`,
      body: `old ${n} ${aText()}`,
    })),
  )
  return posted.map(({ comment, newGuestId }) => ({ comment, caller: guest(newGuestId!) }))
}

const revisionsOf = async ({ service }: Posting, comments: readonly CommentKey[]) => {
  const { rows } = await sql<{ revision: number }>`
    select c.revision from unnest(${comments.map(({ id }) => id)}::bigint[]) with ordinality as q (id, place)
    join comments c on c.id = q.id order by q.place`.execute(service.db)
  return rows.map(({ revision }) => revision)
}

const said = (results: readonly (Edited | string)[]) =>
  results.map((result) => (typeof result === 'string' ? result : result.comment.status))

t.test('more edits at once than a transaction takes all succeed', async (t) => {
  const posting = await openPosting(t)
  const { service, site } = posting
  const own = await plant(posting, 140)
  const results = await Promise.all(
    own.map((one) => edit(service, site, { ...one, body: aText() })),
  )
  t.same(said(results), Array(140).fill('approved'))
  t.same(
    await revisionsOf(
      posting,
      own.map(({ comment }) => comment),
    ),
    Array(140).fill(2),
  )
  t.equal(service.edits.open.size, 0)
  t.same(await recount(service.db), [])
})

t.test('an edit that Postgres refuses fails alone', async (t) => {
  const posting = await openPosting(t)
  const { service, site } = posting
  const own = await plant(posting, 9)
  const results = await Promise.all(
    own.map((one, n) => edit(service, site, { ...one, body: n === 4 ? 'a\u0000b' : aText() })),
  )
  const expected = own.map((_, n) => (n === 4 ? 'invalid_request' : 'approved'))
  t.same(said(results), expected)
  t.same(
    await revisionsOf(
      posting,
      own.map(({ comment }) => comment),
    ),
    own.map((_, n) => (n === 4 ? 1 : 2)),
  )
  t.same(await recount(service.db), [])
})

t.test(
  'an edit that hides its comment hides it on every node, among edits that do not',
  async (t) => {
    const posting = await openPosting(t)
    const { service } = posting
    const twin = await openTwin(t, service)
    await goBy(service, { words: { mode: 'enforce', pending: ['bet'], spam: [], rejected: [] } })
    const site = (await findSite(service.db, 'default'))!
    const own = await plant({ ...posting, site }, 8)
    const read = () =>
      Promise.all(
        [service.app, twin].map(async (app) => {
          const paths = ['/articles/thread%203/comments', '/comments']
          const answers = await Promise.all(
            paths.map((path) => app.inject({ url: `/v1/sites/default${path}` })),
          )
          return answers.map(({ payload }) => payload).join()
        }),
      )
    for (const page of await read()) t.match(page, 'old 3')
    const versionOf = async () =>
      (
        await sql<{
          version: number
        }>`select version from threads where article_id = 'thread 3'`.execute(service.db)
      ).rows[0]!.version
    const before = await versionOf()
    const results = await Promise.all(
      own.map(async (one, n) => {
        const edited = await edit(service, site, {
          ...one,
          body: n === 3 ? `new 3 bet ${aText()}` : `new ${n} ${aText()}`,
        })
        if (n === 3) for (const page of await read()) t.notMatch(page, /(old|new) 3/)
        return edited
      }),
    )
    t.same(
      said(results),
      own.map((_, n) => (n === 3 ? 'pending' : 'approved')),
    )
    t.ok((await versionOf()) > before)
    for (const page of await read()) t.notMatch(page, 'old ')
    t.same(await recount(service.db), [])
  },
)

t.test(
  'edits of several comments with one key: the first is made, the others are refused',
  async (t) => {
    const posting = await openPosting(t)
    const { service, site } = posting
    const own = await plant(posting, 3)
    const key = { siteId: site.id, keyHash: randomBytes(32) }
    const results = await Promise.all(
      own.map((one) =>
        edit(service, site, {
          ...one,
          body: aText(),
          idempotencyKey: { ...key, bodyHash: randomBytes(32) },
        }),
      ),
    )
    t.same(said(results), ['approved', 'idempotency_key_reused', 'idempotency_key_reused'])
    t.same(
      await revisionsOf(
        posting,
        own.map(({ comment }) => comment),
      ),
      [2, 1, 1],
    )
  },
)

t.test('an edit that leaves a shared transaction invalidates its thread once', async (t) => {
  const posting = await openPosting(t)
  const { service, site, invalidations } = posting
  const [first, like, other] = (await plant(posting, 3)) as [Own, Own, Own]
  const body = `Nearly the same words about the weather of the last week ${aText()}`
  await edit(service, site, { ...first, body })
  const before = invalidations.length
  const results = await Promise.all([
    edit(service, site, { ...like, body: `${body} again` }),
    edit(service, site, { ...other, body: aText() }),
  ])
  t.same(said(results), ['approved', 'approved'])
  const name = threadToken(site.id, like.comment.threadId)
  t.equal(invalidations.slice(before).filter((names) => names.includes(name)).length, 1)
})
