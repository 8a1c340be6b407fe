import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { BY_RULES } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import { joinAddress } from '../comments/addresses.ts'
import type { Db, Tx } from '../connection/db.ts'

type At = CommentKey & { readonly siteId: number }

/** After so long another node takes it that the one which began to ask has ended. */
export const ASK_MS = 30_000

/** What others are told of a comment when they are asked about it. */
export type Askable = {
  /** The ids as the wire shows them name these threads. */
  readonly homeThreadId: number
  readonly parentHomeThreadId: number
  /** 0 for a root. */
  readonly parentId: number
  readonly articleId: string
  readonly articleUrl: string | null
  readonly revision: number
  readonly body: string
  readonly createdAt: Instant
  readonly authorKind: 'guest' | 'member'
  readonly authorName: string
  readonly authorUrl: string | null
  readonly authorEmail: string | null
  readonly network: string | null
  readonly checks: Facts['checks'] | null
}

/** Undefined when there is no such comment, or its author is erased. */
export const findAskable = async (db: Db, at: At): Promise<Askable | undefined> => {
  const { rows } = await sql<Askable>`
    select coalesce(c.home_thread_id, c.thread_id) as home_thread_id,
      coalesce(c.parent_home_thread_id, c.thread_id) as parent_home_thread_id,
      c.parent_id, t.article_id, coalesce(t.url, c.article_url) as article_url, c.revision, c.body,
      c.created_at, a.kind as author_kind, a.name as author_name, a.url as author_url,
      a.email as author_email, d.network, c.facts->'checks' as checks
    from comments c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${joinAddress}
    where c.site_id = ${at.siteId} and c.thread_id = ${at.threadId} and c.id = ${at.id}
      and a.erased_at is null`.execute(db)
  return rows[0]
}

/** What a comment was judged by, and what has become of that. */
export type JudgementState = {
  readonly facts: Facts
  readonly policyVersion: number
  readonly screening: readonly Finding[]
  /** Somebody has decided since. */
  readonly isDecided: boolean
  /** Checks may give it to readers; null: nothing is expected of them any more. */
  readonly mayPublish: boolean | null
}

/** Read under the lock on the thread. Undefined when it was judged without facts. */
export const findJudged = async (tx: Tx, at: At): Promise<JudgementState | undefined> => {
  const { rows } = await sql<JudgementState>`
    select c.facts, c.policy_version, c.screening, q.may_publish,
      exists (
        select from decisions d
        where d.site_id = c.site_id and d.thread_id = coalesce(c.home_thread_id, c.thread_id)
          and d.comment_id = c.id and d.action = 'status'
          and d.decided_at >= (c.facts->>'at')::timestamptz and d.decided_by <> ${BY_RULES}
      ) as is_decided
    from comments c
    left join check_questions q on q.site_id = c.site_id and q.comment_id = c.id
    where c.site_id = ${at.siteId} and c.thread_id = ${at.threadId} and c.id = ${at.id}
      and c.facts is not null and c.policy_version is not null and c.screening is not null`.execute(
    tx,
  )
  return rows[0]
}

export const updateJudgement = async (
  tx: Tx,
  at: At,
  judged: { facts: Facts; risk: number; trace: readonly Finding[] },
): Promise<void> => {
  await tx
    .updateTable('comments')
    .set({
      facts: JSON.stringify(judged.facts),
      screening: JSON.stringify(judged.trace),
      risk: judged.risk,
    })
    .where('siteId', '=', at.siteId)
    .where('threadId', '=', at.threadId)
    .where('id', '=', at.id)
    .execute()
}

/** Notes that the checks of comments are being asked; a node that ends leaves them to the others. */
export const insertQuestions = async (
  tx: Tx,
  at: { siteId: number; threadId: number },
  questions: readonly { commentId: number; mayPublish: boolean }[],
): Promise<void> => {
  await sql`
    insert into check_questions (site_id, thread_id, comment_id, may_publish, due_at)
    select ${at.siteId}, ${at.threadId}, q.*, ${inMs(ASK_MS)}
    from unnest(${questions.map(({ commentId }) => commentId)}::bigint[],
      ${questions.map(({ mayPublish }) => mayPublish)}::boolean[]) as q (comment_id, may_publish)
    on conflict (site_id, comment_id) do update
      set may_publish = check_questions.may_publish or excluded.may_publish,
      due_at = excluded.due_at, attempts = 0`.execute(tx)
}

const inMs = (ms: number) => sql`clock_timestamp() + make_interval(secs => ${ms / 1000})`

export type DueQuestion = At & { readonly slug: string; readonly attempts: number }

/** Takes questions that nobody has looked after in time, so that no other node does for so long. */
export const takeQuestions = async (
  tx: Tx,
  { limit, putOffMs }: { limit: number; putOffMs: number },
): Promise<DueQuestion[]> => {
  const { rows } = await sql<DueQuestion>`
    with due as (
      select site_id, comment_id from check_questions where due_at <= clock_timestamp()
      order by due_at limit ${limit} for update skip locked
    )
    update check_questions q set attempts = attempts + 1, due_at = ${inMs(putOffMs)}
    from due, sites s
    where q.site_id = due.site_id and q.comment_id = due.comment_id and s.id = q.site_id
    returning q.site_id, q.thread_id, q.comment_id as id, s.slug, q.attempts`.execute(tx)
  return rows
}

export const putOffQuestion = async (tx: Tx, at: At, byMs: number): Promise<void> => {
  await sql`
    update check_questions set due_at = ${inMs(byMs)}
    where site_id = ${at.siteId} and comment_id = ${at.id}`.execute(tx)
}

/** One that has moved meanwhile stays. */
export const deleteQuestion = async (db: Db, at: At): Promise<void> => {
  await db
    .deleteFrom('checkQuestions')
    .where('siteId', '=', at.siteId)
    .where('threadId', '=', at.threadId)
    .where('commentId', '=', at.id)
    .execute()
}
