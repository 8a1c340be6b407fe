import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { Status } from '../../src/domain/comment/status.ts'
import type { CommentKey } from '../../src/domain/public-id.ts'
import { Refusal } from '../../src/domain/refusal.ts'
import type { Context } from '../../src/usecases/context.ts'
import { decideComment } from '../../src/usecases/decisions/decide-comment.ts'
import type { Decided, DecideRequest } from '../../src/usecases/decisions/decision-request.ts'
import { flagComment } from '../../src/usecases/voting/flag-comment.ts'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import {
  countDeadlocks,
  during,
  flagRequestOf,
  openNodes,
  openPosting,
  untilSomebodyWaits,
} from './posting.ts'

const ARTICLES = ['a', 'b', 'c', 'd']

type Some = Partial<DecideRequest> & { readonly comment: CommentKey }
/** A decision, or the code of its refusal. */
type Result = Decided | string

/** A site with two comments in each article, and moderators who decide without HTTP, in one tick. */
const openDeciding = async (t: Parameters<typeof openPosting>[0]) => {
  const posting = await openPosting(t)
  const { service, site, publish } = posting
  const { rows } = await sql<{ id: number }>`select id from api_keys`.execute(service.db)
  const moderator = { kind: 'key', keyId: rows[0]!.id, scope: 'admin', siteId: null } as const
  const settle = async <T>(result: Promise<T>): Promise<T | string> =>
    result.catch((error) => {
      if (!(error instanceof Refusal)) throw error
      return error.code
    })
  const decide = (decisions: readonly Some[], node: Context = service): Promise<Result[]> =>
    Promise.all(
      decisions.map((some) => {
        const request: DecideRequest = {
          site,
          moderator,
          from: 'approved',
          to: 'rejected',
          revision: 1,
          reason: null,
          note: null,
          replies: 'keep',
          idempotencyKey: undefined,
          ...some,
        }
        return settle(decideComment(node, request, (decided) => decided))
      }),
    )
  const flag = (
    comment: CommentKey,
    authorId: number,
    threshold: number,
    node: Context = service,
  ) =>
    settle(
      flagComment(
        node,
        flagRequestOf({ ...site, flagThreshold: threshold }, authorId, comment),
        (flagged) => flagged,
      ),
    )
  const plant = async (articles: readonly string[] = ARTICLES) => {
    const texts = articles.flatMap((articleId) => [
      { articleId, body: `${articleId} ${randomBytes(9).toString('hex')}` },
      { articleId, body: `${articleId} ${randomBytes(9).toString('hex')}` },
    ])
    return (await publish(texts)).map(({ comment }) => comment)
  }
  return { ...posting, decide, flag, plant }
}

const said = (results: readonly Result[]) =>
  results.map((result) => (typeof result === 'string' ? result : result.decision.to))

const thread = (article: string) =>
  sql`select pg_advisory_xact_lock_shared(id) from threads where article_id = ${article}`

t.test('Decisions in several threads of a site', async (t) => {
  const { service, invalidations, decide, plant } = await openDeciding(t)
  const transactions = async () => {
    const { rows } = await sql<{ all: number }>`
      select count(distinct xmin::text) as all from decisions`.execute(service.db)
    return rows[0]!.all
  }

  t.test('decisions in several threads share transactions and invalidations', async (t) => {
    const comments = await plant()
    const [count, before] = [invalidations.length, await transactions()]
    const results = await decide(comments.map((comment) => ({ comment })))
    t.same(said(results), Array(8).fill('rejected'))
    t.equal((await transactions()) - before, 1)
    t.same(
      invalidations.slice(count).map((names) => names.length),
      [1 + ARTICLES.length],
    )
    const versions = results.map((result) => (result as Decided).version)
    const { rows } = await sql<any>`select version from threads order by article_id`.execute(
      service.db,
    )
    t.same(
      [1, 3, 5, 7].map((n) => versions[n]),
      rows.map(({ version }) => version),
    )
    t.same(await recount(service.db), [])
  })

  t.test('each decision keeps its own moderator, reason, note, status and response', async (t) => {
    const comments = await plant()
    const all = comments.map((comment, n) => ({
      comment,
      to: (['rejected', 'spam', 'pending', 'deleted'] as const)[n % 4]!,
      note: `note ${n}`,
      reason: n % 2 ? ('spam' as const) : null,
      moderator: { kind: 'key', keyId: n + 1, scope: 'admin', siteId: null } as never,
    }))
    const results = await decide(all)
    t.same(
      results.map((result) => {
        const { to, note, reason, by, commentId } = (result as Decided).decision
        return { to, note, reason, by, commentId }
      }),
      all.map(({ comment, to, note, reason }, n) => ({
        to,
        note,
        reason,
        by: (results[n] as Decided).decision.by,
        commentId: comment.id,
      })),
    )
    t.equal(new Set(results.map((result) => (result as Decided).decision.by)).size, 8)
    t.same(await recount(service.db), [])
  })

  t.test('of two decisions on one comment in a transaction, the first succeeds', async (t) => {
    const [a, b] = await plant()
    const results = await decide([
      { comment: b! },
      { comment: a! },
      { comment: a!, to: 'spam' },
      { comment: a!, from: 'rejected', to: 'approved' },
    ])
    t.same(said(results), ['rejected', 'rejected', 'decision_conflict', 'approved'])
    t.same(await recount(service.db), [])
  })

  t.test('a decision that cascades leaves the group, and takes the replies along', async (t) => {
    const [parent, other] = await plant()
    const { id, threadId } = parent!
    await service.post('a', `reply ${randomBytes(6).toString('hex')}`, {
      parent_id: service.idsOf(1).writeComment({ threadId, id }),
    })
    const results = await decide([{ comment: other! }, { comment: parent!, replies: 'same' }])
    t.same(said(results), ['rejected', 'rejected'])
    const { rows } = await sql<{ status: Status }>`
      select status from comments where parent_id = ${id}`.execute(service.db)
    t.same(rows, [{ status: 'rejected' }])
    t.same(await recount(service.db), [])
  })

  t.test(
    'a repeated decision gets its first response, and one with another body is refused',
    async (t) => {
      const [comment, other] = await plant()
      const idempotencyKey = { siteId: 1, keyHash: randomBytes(32), bodyHash: randomBytes(32) }
      const [first] = await decide([{ comment: comment!, idempotencyKey }])
      const [again, free] = await decide([
        { comment: comment!, idempotencyKey },
        { comment: other! },
      ])
      const reused = { ...idempotencyKey, bodyHash: randomBytes(32) }
      const [refused] = await decide([{ comment: comment!, idempotencyKey: reused }])
      t.same((again as Decided).decision.id, (first as Decided).decision.id)
      t.equal(refused, 'idempotency_key_reused')
      t.same(said([free!]), ['rejected'])
    },
  )

  t.test('a decision on a locked thread waits, and delays no other thread', async (t) => {
    const comments = await plant()
    const { waiting, free } = await during(service, thread('a'), async () => {
      const waiting = decide([{ comment: comments[0]! }])
      const free = await decide(comments.slice(2).map((comment) => ({ comment })))
      await untilSomebodyWaits(service)
      return { waiting, free }
    })
    t.same(said(free), Array(6).fill('rejected'))
    t.same(said(await waiting), ['rejected'])
    t.same(await recount(service.db), [])
  })

  t.test('what changes until a decision has the lock of its thread counts for it', async (t) => {
    const comments = await plant()
    const [edited, flagged] = [comments[0]!, comments[1]!]
    const tables = sql`lock table threads in access exclusive mode`
    const { waiting } = await during(service, tables, async (session) => {
      const waiting = decide([{ comment: edited }, { comment: flagged }])
      await untilSomebodyWaits(service)
      await sql`update comments set revision = 2 where id = ${edited.id}`.execute(session)
      await sql`update comments set flag_count = 1 where id = ${flagged.id}`.execute(session)
      await sql`
        insert into flags (site_id, thread_id, comment_id, author_id, reason, flagged_at)
        select site_id, thread_id, id, author_id, 'spam', now() from comments
        where id = ${flagged.id}`.execute(session)
      return { waiting }
    })
    t.same(said(await waiting), ['decision_conflict', 'rejected'])
    const { rows } = await sql<{ resolved: boolean }>`
      select resolved_at is not null as resolved from flags where comment_id = ${flagged.id}`.execute(
      service.db,
    )
    t.same(rows, [{ resolved: true }])
    await sql`update comments set revision = 1 where id = ${edited.id}`.execute(service.db)
    t.same(await recount(service.db), [])
  })

  t.test('decisions leave nothing in memory', async (t) => t.equal(service.decisions.open.size, 0))
})

t.test(
  'flags and decisions of many nodes leave no flag of before a decision undecided',
  async (t) => {
    const { service, site, publish, decide, flag, plant } = await openDeciding(t)
    const nodes = openNodes(t, service)
    const guests = await publish(
      [1, 2, 3, 4].map((n) => ({ articleId: 'guests', body: `guest ${n} of four` })),
    )
    const authors = guests.map(({ newGuestId }) => newGuestId!)
    const deadlocks = await countDeadlocks(service)
    const anAct = fc.record({
      node: fc.nat(nodes.length - 1),
      comment: fc.nat(7),
      author: fc.nat(4),
      to: fc.constantFrom<Status>('rejected', 'spam', 'pending', 'approved'),
      from: fc.constantFrom<Status>('approved', 'approved', 'pending', 'rejected'),
      replies: fc.constantFrom('keep' as const, 'keep' as const, 'same' as const),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(anAct, { minLength: 20, maxLength: 60 }),
        fc.constantFrom(0, 2),
        async (acts, threshold) => {
          const comments = await plant()
          const results = await Promise.all(
            acts.map(async ({ node, comment, author, from, to, replies }) => {
              const target = comments[comment]!
              if (author < authors.length)
                return flag(target, authors[author]!, threshold, nodes[node])
              if (from === to) return 'skipped'
              return (await decide([{ comment: target, from, to, replies }], nodes[node]))[0]!
            }),
          )
          const refusals = results.filter((result) => typeof result === 'string')
          const strange = refusals.filter(
            (code) =>
              !['skipped', 'not_found', 'decision_conflict', 'move_not_allowed'].includes(code),
          )
          t.same(strange, [])
          const ids = comments.map(({ id }) => id)
          const { rows: early } = await sql`
          select f.comment_id from flags f join decisions d
            on d.site_id = f.site_id and d.comment_id = f.comment_id and d.decided_by <> 'flags'
          where f.site_id = ${site.id} and f.comment_id = any(${ids}::bigint[])
            and f.resolved_at is null and f.xmin::text::bigint < d.xmin::text::bigint
            and f.flagged_at < d.decided_at`.execute(service.db)
          t.same(early, [], 'a decision resolves every flag that was stored before')
          const { rows: steps } = await sql<{ from: Status; to: Status; before: Status | null }>`
          select from_status as "from", to_status as "to",
            lag(to_status) over (partition by comment_id order by id) as before
          from decisions where comment_id = any(${ids}::bigint[])`.execute(service.db)
          t.same(
            steps.filter(({ from, before }) => before !== null && from !== before),
            [],
            'each decision begins with the status that the one before it gave',
          )
          t.same(await recount(service.db), [])
        },
      ),
      { numRuns: runs(4, 60) },
    )
    t.equal(await countDeadlocks(service), deadlocks)
  },
)
