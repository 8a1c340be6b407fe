import { sql } from 'kysely'
import t from 'tap'
import type { Context } from '../../src/usecases/context.ts'
import type { Posted } from '../../src/usecases/posting/post-comment.ts'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import {
  ARTICLE,
  countDeadlocks,
  countRows,
  during,
  guest,
  openNodes,
  openPosting,
  type Some,
  untilSomebodyWaits,
} from './posting.ts'

const OTHERS: Some[] = Array.from({ length: 5 }, (_, n) => ({ body: `other ${n}` }))
const ADA = { name: 'Ada', url: null, email: null }

const versionsOf = (posted: readonly Posted[]) => new Set(posted.map(({ version }) => version))
const isAscending = (values: readonly (number | string)[]) =>
  values.every((value, n) => n === 0 || values[n - 1]! <= value)

t.test('Posts to one thread at the same time', async (t) => {
  const { service, invalidations, publish, post } = await openPosting(t)
  const bodies = Array.from({ length: 40 }, (_, n) => ({ body: `text ${n}` }))
  const posted = await publish(bodies)

  t.test(
    'concurrent posts to one thread get their own responses, in order of arrival',
    async (t) => {
      t.same(
        posted.map(({ comment }) => comment.body),
        bodies.map(({ body }) => body),
      )
      const comments = posted.map(({ comment }) => comment)
      t.ok(isAscending(comments.map(({ id }) => id)))
      t.equal(new Set(comments.map(({ id }) => id)).size, 40)
      t.ok(isAscending(comments.map(({ createdAt }) => createdAt)))
      t.equal(new Set(posted.map(({ newGuestId }) => newGuestId)).size, 40, 'and their own guests')
    },
  )

  t.test('concurrent posts to one thread are stored as in their responses', async (t) => {
    const { rows } = await sql<any>`select c.id, c.body, c.author_id, a.name, c.created_at
      from comments c join authors a on a.id = c.author_id order by c.id`.execute(service.db)
    const answered = posted.map(({ comment: { id, body, author, createdAt } }) => {
      return { id, body, authorId: author.id, name: author.name, createdAt }
    })
    t.same(rows, answered)
    t.same(await recount(service.db), [])
  })

  t.test('concurrent posts to one thread share a transaction and an invalidation', async (t) => {
    t.equal(versionsOf(posted).size, 1)
    t.equal(invalidations.length, 1)
  })

  t.test('one group commit has at most 64 posts', async (t) => {
    const many = await publish(Array.from({ length: 100 }, () => ({})))
    t.equal(versionsOf(many).size, 2)
    t.equal(versionsOf(many.slice(0, 64)).size, 1)
    t.equal(versionsOf(many.slice(64)).size, 1)
  })

  t.test('posts to one thread do not wait for another thread', async (t) => {
    const thread = sql`select pg_advisory_xact_lock(id) from threads where article_id = ${ARTICLE}`
    await during(service, thread, async () => {
      const waiting = post([{}])
      await untilSomebodyWaits(service)
      t.type((await post([{ articleId: 'quiet' }]))[0], Object)
      return { waiting }
    }).then(({ waiting }) => waiting)
  })

  t.test('concurrent posts to one thread leave nothing in memory', async (t) =>
    t.equal(service.posts.open.size, 0),
  )
})

t.test('Of posts that share a transaction, one that is refused', async (t) => {
  const { service, post, publish } = await openPosting(t)
  const [{ comment: root }] = (await publish([{}])) as [Posted]
  const before = await countRows(service)
  const id = (n: number) => ({ threadId: root.threadId, id: n })
  const refusals: [string, Some][] = [
    ['parent_not_found', { parent: id(root.id + 1_000) }],
    ['parent_not_found', { parent: null }],
    ['depth_exceeded', { parent: id(root.id), site: { maxDepth: 0 } }],
    ['invalid_token', { caller: guest(1_000_000) }],
    ['invalid_request', { author: undefined }],
    ['invalid_request', { body: 'what Postgres does not take: \0' }],
    ['invalid_request', { author: { ...ADA, name: '\0' } }],
  ]
  for (const [code, refused] of refusals) {
    const results = await post([{}, ...OTHERS.slice(0, 3), refused, ...OTHERS.slice(3)])
    t.equal(results[4], code, code)
    const bodies = results.map((result) => (typeof result === 'string' ? '' : result.comment.body))
    t.same(bodies, ['text', 'other 0', 'other 1', 'other 2', '', 'other 3', 'other 4'])
  }

  t.test('a refused post in a group commit leaves nothing behind, and no guest', async (t) => {
    const made = 6 * refusals.length
    const { threads, authors, comments } = before
    t.same(await countRows(service), {
      threads,
      authors: authors + made,
      comments: comments + made,
    })
    t.same(await recount(service.db), [])
  })

  t.test('a group commit of refused posts creates no thread', async (t) => {
    const rows = await countRows(service)
    const reply = { articleId: 'fresh', parent: id(root.id) }
    t.same(new Set(await post([reply, reply, reply])), new Set(['parent_not_found']))
    t.same(await countRows(service), rows)
  })
})

t.test('Replies that share a transaction', async (t) => {
  const { service, publish, crowd } = await openPosting(t)
  const roots = (await publish(Array.from({ length: 20 }, () => ({})))).map(
    ({ comment }) => comment,
  )
  const nodes = openNodes(t, service)

  t.test('replies in a group commit are counted at their parents and the thread', async (t) => {
    const [one, two] = roots.map(({ threadId, id }) => ({ parent: { threadId, id } }))
    const replies = await publish([{}, one!, two!, one!, {}, one!])
    t.same(
      replies.map(({ comment: { depth, parentId } }) => [depth, parentId]),
      [0, 1, 2, 1, 0, 1].map((n) => (n === 0 ? [0, 0] : [1, roots[n - 1]!.id])),
    )
    t.same(await recount(service.db), [])
  })

  t.test(
    'replies in group commits on two nodes do not deadlock, whatever the order of parents',
    async (t) => {
      const deadlocks = await countDeadlocks(service)
      const pick = () => roots[Math.floor(Math.random() * roots.length)]!
      const replies = Array.from({ length: 40 }, () => {
        const { threadId, id } = pick()
        return { parent: { threadId, id } }
      })
      const run = async (node: Context) => {
        for (let round = 0; round < runs(3, 10); round++)
          await crowd(
            replies.toSorted(() => Math.random() - 0.5),
            node,
          )
      }
      await Promise.all(nodes.map(run))
      t.equal(await countDeadlocks(service), deadlocks, 'nor did any have to be tried again')
      t.same(await recount(service.db), [])
    },
  )
})

t.test('Held posts that share a transaction', async (t) => {
  const { service, invalidations, publish } = await openPosting(t)
  const PRE = { site: { moderation: 'pre' } } as const
  const versionOf = async (): Promise<number> =>
    (await sql<any>`select version from threads`.execute(service.db)).rows[0].version
  await publish([{}])

  t.test('held posts in a group commit change nothing for readers', async (t) => {
    const [before, count] = [await versionOf(), invalidations.length]
    const held = await publish([
      PRE,
      PRE,
      { ...PRE, article: { title: 'T', url: null, isConfirmed: false } },
    ])
    t.same(versionsOf(held), new Set([undefined]))
    t.same(new Set(held.map(({ comment: { status } }) => status)), new Set(['pending']))
    t.equal(await versionOf(), before)
    t.equal(invalidations.length, count)
    t.same(await recount(service.db), [])
  })

  t.test('held posts in a group commit do not delay published ones', async (t) => {
    const mixed = (await publish([{}, PRE, {}, PRE, {}])).slice(1)
    const [held, shown] = [mixed[0]!, mixed[1]!]
    t.same(
      mixed.map(({ version }) => version),
      [undefined, await versionOf(), undefined, await versionOf()],
    )
    t.match(held.comment, { status: 'pending', publishedAt: null })
    t.match(shown.comment, { status: 'approved', publishedAt: shown.comment.createdAt })
    t.same(await recount(service.db), [])
  })
})

t.test('Guests with a token, whose posts share a transaction', async (t) => {
  const { service, publish, crowd } = await openPosting(t)
  const [{ newGuestId: ada }] = (await publish([{}])) as [Posted]
  const [{ newGuestId: bob }] = (await publish([{ author: { ...ADA, name: 'Bob' } }])) as [Posted]
  const as = (id: number | undefined, name?: string): Some => ({
    caller: guest(id!),
    author: name === undefined ? undefined : { ...ADA, name },
  })
  const threads = ['there', 'elsewhere'].map((articleId) => ({ ...as(ada), articleId }))
  await publish(threads)
  const namesOf = (posted: readonly Posted[]) =>
    posted.map(({ comment: { author } }) => author.name)

  t.test('guests with a token in a group commit stay the same guests', async (t) => {
    const posted = await publish([{}, as(ada), as(bob), as(ada, 'Ada')])
    t.same(
      posted.slice(1).map(({ comment: { author }, newGuestId }) => [author.id, newGuestId]),
      [ada, bob, ada].map((id) => [id, undefined]),
    )
  })

  t.test('guests with a token in a group commit get their latest name', async (t) => {
    const acts = [{}, as(ada), as(ada, 'Lovelace'), as(bob), as(ada), as(ada, 'Byron'), as(ada)]
    const names = namesOf(await publish(acts)).slice(1)
    t.same(names, ['Ada', 'Lovelace', 'Bob', 'Lovelace', 'Byron', 'Byron'])
    const { rows } = await sql`select name from authors where id = ${ada}`.execute(service.db)
    t.same(rows, [{ name: 'Byron' }])
  })

  t.test(
    'a new name in a group commit becomes a task for other threads of the guest',
    async (t) => {
      await sql`delete from jobs`.execute(service.db)
      await publish([{}, as(ada, 'Countess'), as(bob)])
      const { rows } = await sql`select payload, kind from jobs`.execute(service.db)
      t.same(rows, [{ payload: { authorId: ada }, kind: 'refresh_author' }])
    },
  )

  t.test('guests with a token get no new name from a held post', async (t) => {
    const held = { ...as(ada, 'Mallory'), site: { moderation: 'pre' } as const }
    t.same(namesOf(await publish([{}, held, as(ada)])).slice(1), ['Countess', 'Countess'])
  })

  t.test('wait for no other node for ever', async (t) => {
    const articles = ['hot', 'there', 'elsewhere']
    const nodes = openNodes(t, service)
    const guests = (await publish(nodes.map(() => ({})))).map(({ newGuestId }) => newGuestId)
    for (const articleId of articles)
      await publish(guests.map((guestId) => ({ ...as(guestId), articleId })))
    const deadlocks = await countDeadlocks(service)
    const run = async (node: Context, n: number) => {
      for (let round = 0; round < runs(8, 20); round++) {
        const articleId = articles[(n + round) % articles.length]!
        // Its own guest alone, or with the next one's, or two that all nodes rename.
        const pairs = [
          [guests[n]],
          [guests[n], guests[(n + 1) % guests.length]],
          [ada, bob],
          [bob, ada],
        ]
        const renames = pairs[round % pairs.length]!.map((guestId) => {
          return { ...as(guestId, `${n} ${round}`), articleId }
        })
        await crowd([{ articleId }, ...renames], node)
      }
    }
    await Promise.all(nodes.map(run))
    t.equal(await countDeadlocks(service), deadlocks, 'nor did any have to be tried again')
    t.same(await recount(service.db), [])
  })
})

t.test('A thread that changes while posts wait', async (t) => {
  const { service, post, publish } = await openPosting(t)
  const [{ comment }] = (await publish([{}])) as [Posted]
  const { threadId, id } = comment
  const lock = sql`select pg_advisory_xact_lock(${threadId}::bigint)`
  const change = (statement: ReturnType<typeof sql>, posts: Some[]) =>
    during(service, lock, async (session) => {
      const results = post(posts)
      await untilSomebodyWaits(service)
      await statement.execute(session)
      return { results }
    }).then(({ results }) => results)

  for (const [state, code] of [
    ['closed', 'thread_closed'],
    ['locked', 'thread_locked'],
    ['hidden', 'thread_closed'],
  ]) {
    t.test(`a thread that becomes ${state} accepts none of the posts that wait`, async (t) => {
      const results = await change(sql`update threads set state = ${state}`, [{}, ...OTHERS])
      t.same(new Set(results), new Set([code]))
      await sql`update threads set state = 'open'`.execute(service.db)
    })
  }

  t.test(
    'a thread accepts waiting posts except replies to a comment hidden meanwhile',
    async (t) => {
      const reply = { parent: { threadId, id } }
      const hide = sql`with hidden as (update comments set status = 'rejected' where id = ${id}),
        tally as (update comment_tallies set is_visible = false where comment_id = ${id})
      update threads set comment_count = 0, root_count = 0, last_comment_at = null`
      const results = await change(hide, [reply, reply, {}, reply])
      t.same(
        results.map((result) => (typeof result === 'string' ? result : 'posted')),
        ['parent_not_found', 'parent_not_found', 'posted', 'parent_not_found'],
      )
      t.same(await recount(service.db), [])
    },
  )
})
