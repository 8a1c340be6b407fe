import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { Status } from '../../src/domain/comment/status.ts'
import type { Caller, StaffCaller } from '../../src/domain/people/caller.ts'
import type { CommentKey } from '../../src/domain/public-id.ts'
import { Refusal } from '../../src/domain/refusal.ts'
import { DEFAULT_POLICY } from '../../src/domain/screening/default-policy.ts'
import { findSite } from '../../src/postgres/service/sites.ts'
import type { Context } from '../../src/usecases/context.ts'
import { decideComment } from '../../src/usecases/decisions/decide-comment.ts'
import { decidePatiently } from '../../src/usecases/decisions/decide-group.ts'
import type { DecideRequest } from '../../src/usecases/decisions/decision-request.ts'
import { prepareEdit } from '../../src/usecases/editing/edit-comment.ts'
import { editPatiently } from '../../src/usecases/editing/edit-group.ts'
import { commitGroup } from '../../src/usecases/group-commit.ts'
import { flagComment } from '../../src/usecases/voting/flag-comment.ts'
import { runs } from '../lengths.ts'
import { type Changes, goBy } from '../policies.ts'
import { recount } from '../recount.ts'
import { edit, editRequestOf } from './editing.ts'
import {
  countDeadlocks,
  flagRequestOf,
  guest,
  openNodes,
  openPosting,
  type Posting,
} from './posting.ts'

/** Each thread has a root comment, a reply, a reply to the reply, and a second root comment. */
const THREADS = 2
const COMMENTS = THREADS * 4
/** The authors of the comments: Ada has two in each thread. */
const AUTHORS = [0, 1, 2, 0, 0, 3, 4, 0]

const STAFF: StaffCaller = { kind: 'key', keyId: 1, scope: 'admin', siteId: null }

type Act = {
  readonly kind: 'edit' | 'edit of staff' | 'edit of another' | 'decide' | 'reply' | 'flag'
  readonly node: number
  readonly comment: number
  readonly text: string
  readonly revision: number
  readonly from: Status
  readonly to: Status
}

type Planted = { readonly comments: readonly CommentKey[]; readonly authors: readonly number[] }

/** Posts two threads, and gives their comments these statuses. */
const plant = async (
  posting: Posting,
  name: string,
  starts: readonly Status[],
): Promise<Planted> => {
  const { site } = posting
  const comments: CommentKey[] = []
  const authors: number[] = []
  for (const [n, author] of AUTHORS.entries()) {
    const articleId = `${name} ${Math.floor(n / 4)}`
    const parent = n % 4 === 1 || n % 4 === 2 ? comments.at(-1) : undefined
    const id = authors[author]
    const known = id === undefined ? {} : { caller: guest(id), author: undefined }
    const body = `n0 ${randomUUID()}`
    const [posted] = await posting.publish([{ ...known, articleId, parent, body, site }])
    comments.push(posted!.comment)
    authors[author] ??= posted!.newGuestId!
  }
  for (const [n, to] of starts.entries())
    if (to !== 'approved')
      await decideAlone(posting, posting.service, { comment: comments[n]!, from: 'approved', to })
  return { comments, authors }
}

type SomeDecision = Pick<DecideRequest, 'comment' | 'from' | 'to'> & { readonly revision?: number }

const decisionOf = ({ site }: Posting, some: SomeDecision): DecideRequest => ({
  site,
  moderator: STAFF,
  replies: 'keep',
  revision: 1,
  reason: null,
  note: null,
  idempotencyKey: undefined,
  ...some,
})

/** Decides in a transaction that no other decision shares, and that waits for its lock. */
const decideAlone = (posting: Posting, node: Context, some: SomeDecision) =>
  commitGroup(node, [{ ...decisionOf(posting, some), present: () => null }], decidePatiently)

/** The code of the refusal, if an act is refused. */
const settle = <T>(result: Promise<T>): Promise<T | string> =>
  result.catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error
    return error.code
  })

const editOf = ({ comments, authors }: Planted, { kind, comment, text, revision }: Act) => {
  const callers: Record<string, Caller> = {
    edit: guest(authors[AUTHORS[comment]!]!),
    'edit of staff': STAFF,
    'edit of another': guest(authors[(AUTHORS[comment]! + 1) % 5]!),
  }
  return {
    comment: comments[comment]!,
    caller: callers[kind]!,
    body: text,
    ifRevision: revision === 0 ? undefined : revision,
  }
}

/** What an act did. `revision`: the text that it found, for edits and decisions. */
type Deed = { readonly act: Act; readonly revision: number; readonly order: number }

/** @returns undefined if the act was refused, which leaves nothing */
const perform = async (
  posting: Posting,
  node: Context,
  planted: Planted,
  act: Act,
): Promise<Deed | undefined> => {
  const { site } = posting
  const comment = planted.comments[act.comment]!
  switch (act.kind) {
    case 'decide': {
      const { from, to } = act
      if (from === to) return undefined
      const revision = act.revision || 1
      const request = decisionOf(posting, { comment, from, to, revision })
      const decided = await settle(decideComment(node, request, ({ decision }) => decision))
      return typeof decided === 'string' ? undefined : { act, revision, order: decided.id }
    }
    case 'reply': {
      const { threadId } = comment
      const articleId = await articleOf(posting, threadId)
      const [reply] = await posting.post(
        [{ articleId, parent: comment, body: act.text, site }],
        node,
      )
      return typeof reply === 'string' ? undefined : { act, revision: 0, order: 0 }
    }
    case 'flag': {
      const flagged = await settle(flag(posting, node, planted, act))
      return typeof flagged === 'string' ? undefined : { act, revision: 0, order: 0 }
    }
    default: {
      const edited = await edit(node, site, editOf(planted, act))
      if (typeof edited === 'string') return undefined
      return { act, revision: edited.comment.revision - 1, order: Number.POSITIVE_INFINITY }
    }
  }
}

const articleOf = async ({ service }: Posting, threadId: number): Promise<string> => {
  const { rows } = await sql<{ articleId: string }>`
    select article_id from threads where id = ${threadId}`.execute(service.db)
  return rows[0]!.articleId
}

const flag = ({ site }: Posting, node: Context, { comments, authors }: Planted, act: Act) => {
  const author = authors[(AUTHORS[act.comment]! + 1) % 5]!
  const request = flagRequestOf({ ...site, flagThreshold: 0 }, author, comments[act.comment]!)
  return flagComment(node, request, (flagged) => flagged)
}

/** Repeats what succeeded on other comments, in transactions of its own. */
const repeat = async (posting: Posting, planted: Planted, deeds: readonly Deed[]) => {
  const { service, site } = posting
  for (const { act, revision } of deeds) {
    const { kind, from, to } = act
    const comment = planted.comments[act.comment]!
    if (kind === 'decide') await decideAlone(posting, service, { comment, from, to, revision })
    else if (kind === 'reply' || kind === 'flag') await perform(posting, service, planted, act)
    else {
      const request = editRequestOf(site, editOf(planted, { ...act, revision: 0 }))
      const present = () => null
      await commitGroup(service, [await prepareEdit(service, request, present)], editPatiently)
    }
  }
}

/** Replies and flags need comments that are visible, as all are at first; decisions on a text precede its edit. */
const inOrder = (deeds: readonly Deed[]): readonly Deed[] =>
  deeds.toSorted((a, b) => a.revision - b.revision || a.order - b.order || 0)

/** The texts differ in what follows the first word. */
const wordOf = (text: string) => sql`split_part(${sql.ref(text)}, ' ', 1)`

/** What acts leave of these comments and their threads, with places instead of ids. */
const left = async ({ service }: Posting, { comments, authors }: Planted) => {
  const threadIds = [...new Set(comments.map(({ threadId }) => threadId))]
  const place = (id: string) =>
    sql`array_position(${comments.map(({ id }) => id)}::bigint[], ${sql.ref(id)})`
  const author = (id: string) => sql`array_position(${authors}::bigint[], ${sql.ref(id)})`
  const { rows } = await sql`
    select ${place('c.id')} as place, ${place('c.parent_id')} as parent, c.status, ${wordOf('c.body')} as body,
      c.revision, c.shadowed, c.risk, c.policy_version, c.renderer, c.published_at is null as was_never_public,
      c.edited_at is null as is_first, num_nonnulls(c.facts, c.packed_facts) as judged,
      k.shown, k.reply_count, t.comment_count, t.root_count,
      (select json_agg(json_build_array(r.revision, ${wordOf('r.body')}, r.replaced_by like 'k%') order by r.revision)
        from comment_revisions r where r.comment_id = c.id) as revisions,
      (select json_build_array(array_position(${threadIds}::bigint[], a.thread_id), ${author('a.author_id')},
          a.address_hash is null) from arrivals a where a.comment_id = c.id) as arrival,
      (select json_agg(json_build_array(d.action, d.from_status, d.to_status, d.decided_by, d.before->'revision',
          d.after->'revision') order by d.id)
        from decisions d where d.comment_id = c.id) as decisions,
      (select count(*) from flags f where f.comment_id = c.id) as flags
    from comments c join comment_tallies k on k.comment_id = c.id join threads t on t.id = c.thread_id
    where c.thread_id = any(${threadIds}::bigint[])
    order by place, parent, body`.execute(service.db)
  return rows
}

const anAct = fc.record({
  kind: fc.constantFrom<Act['kind']>(
    ...(['edit', 'edit', 'edit', 'edit', 'edit', 'edit'] as const),
    'edit of staff',
    'edit of another',
    'decide',
    'decide',
    'reply',
    'flag',
  ),
  node: fc.constantFrom(0, 0, 0, 1),
  comment: fc.nat(COMMENTS - 1),
  /** The word of a text that the policy publishes, holds or rejects, or one that many have. */
  word: fc.constantFrom('', '', '', '', 'bet', 'casino', 'same'),
  /** 0: the caller names no revision. */
  revision: fc.constantFrom(0, 0, 0, 1, 2),
  /** Undefined: the status that the comment has before all acts. */
  from: fc.constantFrom<Status | undefined>(undefined, undefined, 'pending', 'rejected'),
  to: fc.constantFrom<Status>('approved', 'rejected', 'spam', 'pending', 'deleted'),
})

/** The counts of recent posts differ between acts at once and in turn, so no rule asks for them. */
const OFF: Changes = Object.fromEntries(
  Object.entries(DEFAULT_POLICY.rules).flatMap(([name, rule]) =>
    'mode' in rule ? [[name, { mode: 'off' }]] : [],
  ),
)

const SAME = 'the same words of every author about the weather of this week'

t.test('edits at once leave what they leave one after the other', async (t) => {
  const opened = await openPosting(t)
  const { service } = opened
  await goBy(service, {
    ...OFF,
    words: { mode: 'enforce', pending: ['bet'], spam: [], rejected: ['casino'] },
  })
  const posting = { ...opened, site: (await findSite(service.db, 'default'))! }
  const nodes = openNodes(t, service)
  const deadlocks = await countDeadlocks(service)
  let round = 0
  let edits = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(anAct, { minLength: 12, maxLength: 40, size: 'max' }),
      fc.array(fc.constantFrom<Status>('approved', 'approved', 'approved', 'pending', 'rejected'), {
        minLength: COMMENTS,
        maxLength: COMMENTS,
      }),
      async (drawn, starts) => {
        const acts = drawn
          .map(({ word, from, ...act }, n) => ({
            ...act,
            from: from ?? starts[act.comment]!,
            text: `n${n + 1} ${word === 'same' ? SAME : `${randomUUID()} ${word}`}`,
          }))
          .filter(
            ({ kind, comment }) =>
              (kind !== 'reply' && kind !== 'flag') || starts[comment] === 'approved',
          )
        const name = `round ${round++}`
        const atOnce = await plant(posting, `${name} at once`, starts)
        const inTurn = await plant(posting, `${name} in turn`, starts)
        const deeds = await Promise.all(
          acts.map((act) => perform(posting, nodes[act.node]!, atOnce, act)),
        )
        const done = inOrder(deeds.filter((deed) => deed !== undefined))
        await repeat(posting, inTurn, done)
        edits += done.filter(({ act }) => act.kind === 'edit').length
        t.same(await left(posting, atOnce), await left(posting, inTurn))
        t.same(await recount(service.db), [])
      },
    ),
    { numRuns: runs(4, 40) },
  )
  t.ok(edits > runs(4, 40), `${edits} edits of authors`)
  t.equal(await countDeadlocks(service), deadlocks)
  t.equal(service.edits.open.size, 0)
})
