import { randomBytes } from 'node:crypto'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { readRendering } from '../../src/domain/screening/rendering.ts'
import { createDb } from '../../src/postgres/connection/db.ts'
import { readFacts, storedFacts } from '../../src/postgres/screening/stored-judgements.ts'
import type { Context } from '../../src/usecases/context.ts'
import { hashRendering } from '../../src/usecases/policies/count-facts.ts'
import type { Posted } from '../../src/usecases/posting/post-comment.ts'
import { type Cut, openCuttingLink } from '../cutting-link.ts'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { createTestContext, type TestService } from '../service.ts'
import {
  countDeadlocks,
  countRows,
  during,
  guest,
  openNodes,
  openPosting,
  type Posting,
  type Some,
  untilSomebodyWaits,
} from './posting.ts'

const into = (articleId: string, some: Some = {}): Some => ({
  articleId,
  body: `text in ${articleId}`,
  ...some,
})
const ARTICLES = ['a', 'b', 'c', 'd']
const ADA = { name: 'Ada', url: null, email: null }

/** Opens a site with a comment in each article. @returns the comments too, in the order of the articles */
const openArticles = async (t: Parameters<typeof openPosting>[0]) => {
  const posting = await openPosting(t)
  const firsts = await posting.publish(ARTICLES.map((articleId) => into(articleId)))
  return { ...posting, firsts: firsts.map(({ comment }) => comment) }
}

const factsOf = async ({ db }: TestService, posted: readonly Posted[]) => {
  const ids = posted.map(({ comment: { id } }) => id)
  const { rows } = await sql<{ facts: string }>`
    select ${storedFacts} as facts from comments c where id = any(${ids}::bigint[]) order by id`.execute(
    db,
  )
  return rows.map(({ facts }): any => readFacts(facts))
}

const thread = (article: string) =>
  sql`select pg_advisory_xact_lock(id) from threads where article_id = ${article}`

/** Posts while another session holds the locks of a statement. @returns the responses during and after that */
const postBesides = async (
  { service, publish }: Posting,
  lock: ReturnType<typeof sql>,
  { free, stuck }: { free: readonly Some[]; stuck: readonly Some[] },
) => {
  const { waiting, posted } = await during(service, lock, async () => {
    const all = stuck.map((some) => publish([some]))
    const posted = await publish(free)
    await untilSomebodyWaits(service)
    return { waiting: all, posted }
  })
  return { posted, later: (await Promise.all(waiting)).flat() }
}

t.test('Posts to several threads of a site', async (t) => {
  const posting = await openArticles(t)
  const { service, invalidations, publish, post, firsts } = posting

  t.test('posts to several threads share transactions and invalidations', async (t) => {
    const count = invalidations.length
    const first = publish([into('a', { body: 'alone' })])
    // The transaction of the first post begins at the end of its turn.
    await endOfTurn()
    await endOfTurn()
    const shared = await publish(
      ARTICLES.flatMap((articleId) => [into(articleId), into(articleId)]),
    )
    const [alone] = await first
    t.equal(new Set(shared.map(({ comment }) => comment.createdAt)).size, 1)
    t.not(alone!.version, shared[0]!.version)
    t.same(
      invalidations.slice(count).map((names) => names.length),
      [2, 1 + ARTICLES.length],
    )
    t.same(
      shared.map(({ comment }) => comment.articleId),
      ARTICLES.flatMap((articleId) => [articleId, articleId]),
    )
    const ids = [alone!, ...shared].map(({ comment }) => comment.id)
    t.same(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    const { rows } = await sql<any>`select version from threads order by article_id`.execute(
      service.db,
    )
    t.same(
      ARTICLES.map(
        (article) => shared.findLast((one) => one.comment.articleId === article)!.version,
      ),
      rows.map(({ version }) => version),
    )
    t.same(await recount(service.db), [])
  })

  t.test('facts count earlier posts of a transaction: of their thread, and of all', async (t) => {
    const addressHash = Buffer.alloc(16, 7)
    const body = 'The same text about the weather of the last week in every thread.'
    const posts = ['a', 'b', 'a', 'c'].map((articleId) => into(articleId, { addressHash, body }))
    const facts = await factsOf(service, (await publish([into('d'), ...posts])).slice(1))
    const since = (list: readonly number[]) => list.map((one) => one - list[0]!)
    t.same(since(facts.map((one) => one.arrivals.site)), [0, 1, 2, 3])
    t.same(
      facts.map((one) => one.arrivals.network),
      [1, 2, 3, 4],
    )
    t.same(
      facts.map((one) => one.repeats.same),
      [0, 1, 2, 3],
    )
    t.equal(facts[2].arrivals.thread, facts[0].arrivals.thread + 1)
    t.same(
      facts.map((one) => one.threadSince !== null),
      [true, true, true, true],
    )
  })

  t.test('replies in shared transactions belong to the thread of their parent only', async (t) => {
    const reply = (n: number, articleId = ARTICLES[n]!) => {
      const { threadId, id } = firsts[n]!
      return into(articleId, { parent: { threadId, id } })
    }
    const results = await post([into('a'), reply(0), reply(1), reply(1), reply(2, 'd'), reply(3)])
    t.same(
      results.map((result) => (typeof result === 'string' ? result : result.comment.parentId)),
      [0, firsts[0]!.id, firsts[1]!.id, firsts[1]!.id, 'parent_not_found', firsts[3]!.id],
    )
    t.same(await recount(service.db), [])
  })

  t.test('a post that repeats another one in another thread is a comment of its own', async (t) => {
    const twice = { idempotencyKey: undefined, body: 'Once more, in every thread of the site.' }
    const posted = await publish([into('d'), ...['a', 'b', 'a', 'b'].map((a) => into(a, twice))])
    const ids = posted.slice(1).map(({ comment }) => comment.id)
    t.same(ids.slice(2), ids.slice(0, 2))
    t.not(ids[0], ids[1])
    const again = await publish(['b', 'a'].map((article) => into(article, twice)))
    t.same(
      again.map(({ comment }) => comment.id),
      [ids[1], ids[0]],
    )
  })

  t.test('a faulty post to one thread fails alone, and leaves nothing behind', async (t) => {
    const before = await countRows(service)
    const faulty = into('b', { body: 'what Postgres does not take: \0' })
    const results = await post([into('a'), into('c'), faulty, into('b'), into('d'), faulty])
    t.same(
      results.map((result) => (typeof result === 'string' ? result : 'posted')),
      ['posted', 'posted', 'invalid_request', 'posted', 'posted', 'invalid_request'],
    )
    t.equal((await countRows(service)).comments, before.comments + 4)
    t.same(await recount(service.db), [])
  })

  t.test('each thread gets the name that its own posts suggest', async (t) => {
    const naming = (articleId: string, title: string, isConfirmed: boolean) =>
      into(articleId, { article: { title, url: `https://example.com/${title}`, isConfirmed } })
    await publish([
      into('d'),
      naming('a', 'first', false),
      naming('b', 'staff', true),
      naming('a', 'second', false),
    ])
    const { rows } = await sql<any>`select article_id, title, suggested_title from threads
      where article_id in ('a', 'b', 'c') order by article_id`.execute(service.db)
    t.same(rows, [
      { articleId: 'a', title: null, suggestedTitle: 'first' },
      { articleId: 'b', title: 'staff', suggestedTitle: null },
      { articleId: 'c', title: null, suggestedTitle: null },
    ])
  })

  t.test('shared transactions leave nothing in memory and every count right', async (t) => {
    t.equal(service.posts.open.size, 0)
    t.same(await recount(service.db), [])
  })
})

t.test('A post that has to wait', async (t) => {
  const posting = await openArticles(t)
  const { service, publish, firsts } = posting
  const [{ newGuestId: ada }] = (await publish([into('a', { author: ADA })])) as [Posted]
  const { threadId, id } = firsts[0]!
  const body = 'Words that another transaction has just begun to count.'
  const { fingerprint } = hashRendering(readRendering(body, renderMarkdown(body)))
  const stuckOn: [string, ReturnType<typeof sql>, Some][] = [
    ['its thread', thread('a'), into('a')],
    [
      'its parent',
      sql`select from comment_tallies where comment_id = ${id} for update`,
      into('a', { parent: { threadId, id } }),
    ],
    [
      'its author',
      sql`select from authors where id = ${ada} for update`,
      into('a', { caller: guest(ada!), author: undefined }),
    ],
    [
      'its text',
      sql`select pg_advisory_xact_lock(hashint8extended(${fingerprint}, 1))`,
      into('a', { body }),
    ],
    [
      'the row of its thread',
      sql`select from threads where id = ${threadId} for update`,
      into('a'),
    ],
  ]
  const free = ['What a day!', 'Rain again here.', 'Good question, thanks'].map((text, n) =>
    into(ARTICLES[n + 1]!, { body: text }),
  )
  for (const [what, lock, stuck] of stuckOn)
    t.test(`a post that waits for ${what} delays no other thread`, async (t) => {
      const { posted, later } = await postBesides(posting, lock, { free, stuck: [stuck] })
      t.equal(posted.length, 3)
      t.same(
        later.map(({ comment }) => comment.articleId),
        ['a'],
      )
      t.same(await recount(service.db), [])
    })

  t.test('a post that waits for the row of its thread counts from the changed row', async (t) => {
    const later = 1_000_000_000_000
    const change = sql`update threads set version = version + ${later} where article_id = 'a'`
    const { rows } = await sql<any>`select version from threads where article_id = 'a'`.execute(
      service.db,
    )
    const { waiting } = await during(service, change, async () => {
      const waiting = publish([into('b'), ...['c', 'a', 'd'].map((article) => into(article))])
      await untilSomebodyWaits(service)
      return { waiting }
    })
    const [, , posted] = await waiting
    t.equal(posted!.version, rows[0].version + later + 1)
    t.same(await recount(service.db), [])
  })

  t.test('posts to a thread in slow mode are stored one by one', async (t) => {
    await sql`update threads set slow_mode_seconds = 60 where article_id = 'b'`.execute(service.db)
    const writer = { addressHash: Buffer.alloc(16, 9) }
    const results = await posting.post([into('a'), into('b', writer), into('c'), into('b', writer)])
    t.same(
      results.map((result) => (typeof result === 'string' ? result : 'posted')),
      ['posted', 'posted', 'posted', 'slow_mode'],
    )
  })

  t.test('posts that had to wait leave nothing in memory', async (t) =>
    t.equal(service.posts.open.size, 0),
  )
})

t.test('Posts of many nodes to several threads', async (t) => {
  const { service, publish, crowd, firsts } = await openArticles(t)
  const nodes = openNodes(t, service)
  const guests = (await publish(nodes.map(() => into('a')))).map(({ newGuestId }) => newGuestId!)

  t.test('shared transactions of many nodes cause no deadlock and keep counts right', async (t) => {
    const deadlocks = await countDeadlocks(service)
    const run = async (node: Context, n: number) => {
      for (let round = 0; round < runs(3, 10); round++) {
        const posts = Array.from({ length: 20 }, (_, i): Some => {
          const at = Math.floor(Math.random() * ARTICLES.length)
          const { threadId, id } = firsts[at]!
          const renamed = { caller: guest(guests[(n + i) % guests.length]!) }
          return into(ARTICLES[at]!, {
            // Posts of similar texts would wait for each other, thread by thread.
            body: randomBytes(40).toString('hex'),
            ...(i % 2 === 0 && { parent: { threadId, id } }),
            ...(i % 3 === 0 && { ...renamed, author: { ...ADA, name: `${n} ${round}` } }),
          })
        })
        await crowd(posts, node)
      }
    }
    await Promise.all(nodes.map(run))
    t.equal(await countDeadlocks(service), deadlocks, 'nor did any have to be tried again')
    t.same(await recount(service.db), [])
  })
})

t.test('A post whose connection is lost', async (t) => {
  const { service, publish, post, firsts, invalidations } = await openArticles(t)
  const { url, cutOn } = await openCuttingLink(t, service.url)
  const { db, close } = createDb({ url, max: 4, onError: () => {} })
  t.teardown(close)
  const node = createTestContext(db, service.cacheTokens)
  const write = () =>
    into('a', { idempotencyKey: undefined, body: randomBytes(40).toString('hex') })
  const lose = async (cut: Cut) => {
    const before = { ...(await countRows(service)), told: invalidations.length }
    cutOn(cut)
    const results = await post([write()], node)
    const after = await countRows(service)
    return {
      results,
      comments: after.comments - before.comments,
      told: invalidations.length - before.told,
    }
  }

  t.test('a post whose first statements are lost leaves nothing', async (t) => {
    const lost = await lose({ command: 'begin', when: 'after' })
    t.same(lost, { results: ['unavailable'], comments: 0, told: 0 })
  })

  t.test('a post whose commit does not arrive leaves nothing', async (t) => {
    const lost = await lose({ command: 'commit', when: 'before' })
    t.same(lost, { results: ['unavailable'], comments: 0, told: 1 })
  })

  t.test('a post whose commit gets no answer is stored once, and readers see it', async (t) => {
    const lost = await lose({ command: 'commit', when: 'after' })
    t.same(lost, { results: ['unavailable'], comments: 1, told: 1 })
    t.same(await recount(service.db), [])
  })

  t.test('posts after a lost connection are stored', async (t) => {
    const { threadId, id } = firsts[0]!
    await publish([write(), write(), into('a', { parent: { threadId, id } })], node)
    t.same(await recount(service.db), [])
    t.equal(node.posts.open.size, 0)
  })
})
