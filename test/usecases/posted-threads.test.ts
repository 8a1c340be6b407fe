import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { PostRequest } from '../../src/usecases/posting/post-comment.ts'
import { runs } from '../lengths.ts'
import { goBy } from '../policies.ts'
import { recount } from '../recount.ts'
import { openPosting } from './posting.ts'

const LONG = 'long'.repeat(300)
/** Two ids for one thread, one that is stored as a hash, and one that begins like a hash. */
const IDS = ['a', 'old', 'b', LONG, '\u007fx']

const post = fc.record({
  id: fc.constantFrom(...IDS),
  /** What the policy rejects, holds, lets pass, and takes for spam when it comes again. */
  body: fc.constantFrom('no', 'see https://example.org', 'One text', 'Another text'),
  isUnique: fc.boolean(),
  /** A reply to an approved comment of the thread, or a root comment. */
  parent: fc.option(fc.nat({ max: 20 })),
  article: fc.record({
    title: fc.constantFrom(null, 'One', 'Two'),
    url: fc.constantFrom(null, 'https://a.example/1', 'https://a.example/2'),
    isConfirmed: fc.boolean(),
  }),
})

type Stored = { id: number; threadId: number; status: string }
type Named = {
  id: number
  title: string | null
  url: string | null
  suggestedBy: number | null
  suggestedTitle: string | null
  suggestedUrl: string | null
}

t.test('posts of a transaction count and name their threads as one after the other', async (t) => {
  const { service, post: postAll } = await openPosting(t)
  const { db, call, adminKey: token } = service
  const version = await goBy(service, {
    length: { mode: 'enforce', says: 'rejected', min: 5 },
    links: { mode: 'enforce', max: 0 },
    repeats: { mode: 'enforce', says: 'spam', same: 1, near: 100 },
  })
  const site = { policyVersion: version }
  const seen = new Set<string>()
  let number = 0
  const property = fc.asyncProperty(
    fc.array(fc.array(post, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }),
    async (groups) => {
      const round = number++
      const nameOf = (id: string) => `${id} ${round}`
      const path = `/v1/sites/default/articles/${encodeURIComponent(nameOf('a'))}/aliases`
      await call('POST', path, { token, body: { article_id: nameOf('old') } })
      const articles = new Map<number, PostRequest['article']>()
      for (const group of groups) {
        const { rows } = await sql<{ id: number; threadId: number; articleId: string }>`
          select c.id, c.thread_id, coalesce(t.long_article_id, t.article_id) as article_id
          from comments c join threads t on (t.site_id, t.id) = (c.site_id, c.thread_id)
          where c.status = 'approved'`.execute(db)
        const results = await postAll(
          group.map(({ id, body, isUnique, parent, article }, i) => {
            const own = nameOf(id === 'old' ? 'a' : id)
            const parents = rows.filter((row) => row.articleId === own)
            const found = parent === null ? undefined : parents[parent % parents.length]
            return {
              site,
              article,
              articleId: nameOf(id),
              body: isUnique ? `${body} ${round} ${i} ${Math.random()}` : body,
              parent: found && { threadId: found.threadId, id: found.id },
            }
          }),
        )
        for (const [i, result] of results.entries()) {
          if (typeof result === 'string') t.fail(result)
          else articles.set(result.comment.id, group[i]!.article)
        }
      }
      t.same(await recount(db), [])
      const ids = [...articles.keys()]
      const { rows: stored } = await sql<Stored>`
        select id, thread_id, status from comments where id = any(${ids}::bigint[]) order by id`.execute(
        db,
      )
      for (const { status } of stored) seen.add(status)
      const { rows: threads } = await sql<Named>`
        select id, title, url, suggested_by, suggested_title, suggested_url from threads
        where id in (select thread_id from comments where id = any(${ids}::bigint[]))`.execute(db)
      for (const thread of threads) {
        const approved = stored.filter(
          ({ threadId, status }) => threadId === thread.id && status === 'approved',
        )
        const named = approved.map(({ id }) => ({ id, ...articles.get(id)! }))
        const confirmed = named.filter(({ isConfirmed }) => isConfirmed)
        const suggestion = named.find(({ isConfirmed, url }) => !isConfirmed && url !== null)
        t.same(thread, {
          id: thread.id,
          title: confirmed.find(({ title }) => title !== null)?.title ?? null,
          url: confirmed.find(({ url }) => url !== null)?.url ?? null,
          suggestedBy: suggestion?.id ?? null,
          suggestedTitle: suggestion?.title ?? null,
          suggestedUrl: suggestion?.url ?? null,
        })
      }
    },
  )
  await fc.assert(property, { numRuns: runs(20, 300) })
  t.same([...seen].sort(), ['approved', 'pending', 'rejected', 'spam'])
})
