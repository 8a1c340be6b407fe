import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { Status } from '../../src/domain/comment/status.ts'
import type { CommentKey } from '../../src/domain/public-id.ts'
import { Refusal } from '../../src/domain/refusal.ts'
import type { Context } from '../../src/usecases/context.ts'
import { decideComment } from '../../src/usecases/decisions/decide-comment.ts'
import { decidePatiently } from '../../src/usecases/decisions/decide-group.ts'
import type { Decided, DecideRequest } from '../../src/usecases/decisions/decision-request.ts'
import { commitGroup } from '../../src/usecases/group-commit.ts'
import { runs } from '../lengths.ts'
import { recount } from '../recount.ts'
import { openNodes, openPosting, type Posting } from './posting.ts'

/** Each thread has a root comment, a reply, a reply to the reply, and a second root comment. */
const THREADS = 2
const COMMENTS = THREADS * 4

type Act = {
  readonly node: number
  readonly comment: number
  readonly from: Status
  readonly to: Status
  readonly replies: 'keep' | 'same'
  readonly moderator: number
}

const plantThread = async ({ publish }: Posting, articleId: string): Promise<CommentKey[]> => {
  const article = { title: articleId, url: `https://a.example/${articleId}`, isConfirmed: true }
  const say = async (parent?: CommentKey) =>
    (await publish([{ articleId, article, parent }]))[0]!.comment
  const root = await say()
  const reply = await say(root)
  return [root, reply, await say(reply), await say()]
}

/** Posts two threads, and gives their comments these statuses and flags. */
const plant = async (posting: Posting, name: string, starts: readonly Start[]) => {
  const comments: CommentKey[] = []
  for (let n = 0; n < THREADS; n++) comments.push(...(await plantThread(posting, `${name} ${n}`)))
  const { db } = posting.service
  for (const [n, { status, isFlagged }] of starts.entries()) {
    if (status !== 'approved')
      await decideAlone(
        posting.service,
        requestOf(posting, comments[n]!, {
          from: 'approved',
          to: status,
          replies: 'keep',
          moderator: 0,
        }),
      )
    if (!isFlagged) continue
    await sql`
      insert into flags (site_id, thread_id, comment_id, author_id, reason, flagged_at)
      select site_id, thread_id, id, author_id, 'spam', now() from comments
      where id = ${comments[n]!.id}`.execute(db)
    await sql`update comments set flag_count = 1 where id = ${comments[n]!.id}`.execute(db)
  }
  return comments
}

type Start = { readonly status: Status; readonly isFlagged: boolean }

const requestOf = (
  { site }: Posting,
  comment: CommentKey,
  { moderator, from, to, replies }: Omit<Act, 'node' | 'comment'>,
): DecideRequest => ({
  site,
  moderator: { kind: 'key', keyId: moderator, scope: 'admin', siteId: null },
  comment,
  from,
  to,
  replies,
  revision: 1,
  reason: null,
  note: `note of ${moderator}`,
  idempotencyKey: undefined,
})

/** @returns the decision, or the code of its refusal */
const decide = (node: Context, request: DecideRequest): Promise<Decided | string> =>
  decideComment(node, request, (decided) => decided).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error
    return error.code
  })

/** Decides in a transaction that no other decision shares, and that waits for its lock. */
const decideAlone = (node: Context, request: DecideRequest) =>
  commitGroup(node, [{ ...request, present: () => null }], decidePatiently)

/** What decisions leave of these comments and their threads, with places instead of ids. */
const left = async ({ service }: Posting, comments: readonly CommentKey[]) => {
  const ids = comments.map(({ id }) => id)
  const place = (id: string) => sql`array_position(${ids}::bigint[], ${sql.ref(id)})`
  const { rows } = await sql`
    select c.status, c.flag_count, c.published_at is null as was_never_public, k.shown, k.reply_count,
      t.comment_count, t.root_count, ${place('t.suggested_by')} as suggested_by,
      (select json_agg(json_build_array(d.from_status, d.to_status, d.note, d.decided_by, d.after->'shadowed',
          d.held_ms is null, ${place('cause.comment_id')},
          (select count(*) from flags f where f.resolved_by = d.id)) order by d.id)
        from decisions d left join decisions cause on cause.id = d.caused_by
        where d.comment_id = c.id) as decisions
    from comments c join comment_tallies k on k.comment_id = c.id join threads t on t.id = c.thread_id
    where c.id = any(${ids}::bigint[]) order by c.id`.execute(service.db)
  return rows
}

const aStart = fc.record({
  status: fc.constantFrom<Status>('approved', 'approved', 'pending', 'rejected'),
  isFlagged: fc.boolean(),
})

const anAct = fc.record({
  node: fc.constantFrom(0, 0, 0, 1),
  comment: fc.nat(COMMENTS - 1),
  /** Undefined: the status that the comment has before all decisions. */
  from: fc.constantFrom<Status | undefined>(undefined, undefined, undefined, 'pending', 'rejected'),
  to: fc.constantFrom<Status>('approved', 'rejected', 'spam', 'pending', 'deleted'),
  replies: fc.constantFrom('keep' as const, 'keep' as const, 'same' as const),
  moderator: fc.integer({ min: 1, max: 3 }),
})

t.test('decisions at once leave what they leave one after the other', async (t) => {
  const posting = await openPosting(t)
  const nodes = openNodes(t, posting.service)
  let round = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(anAct, { minLength: 10, maxLength: 30, size: 'max' }),
      fc.array(aStart, { minLength: COMMENTS, maxLength: COMMENTS }),
      async (drawn, starts) => {
        const acts = drawn
          .map((act) => ({ ...act, from: act.from ?? starts[act.comment]!.status }))
          .filter(({ from, to }) => from !== to)
        const name = `round ${round++}`
        const atOnce = await plant(posting, `${name} at once`, starts)
        const inTurn = await plant(posting, `${name} in turn`, starts)
        const results = await Promise.all(
          acts.map((act) =>
            decide(nodes[act.node]!, requestOf(posting, atOnce[act.comment]!, act)),
          ),
        )
        const done = acts
          .map((act, n) => ({ act, result: results[n]! }))
          .flatMap(({ act, result }) => (typeof result === 'string' ? [] : { act, result }))
          .sort((a, b) => a.result.decision.id - b.result.decision.id)
        for (const { act } of done)
          await decideAlone(nodes[0]!, requestOf(posting, inTurn[act.comment]!, act))
        t.same(await left(posting, atOnce), await left(posting, inTurn))
        t.same(await recount(posting.service.db), [])
      },
    ),
    { numRuns: runs(4, 20) },
  )
})
