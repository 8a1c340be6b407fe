import { type RawBuilder, sql } from 'kysely'
import type { Role } from '../../domain/comment/comment.ts'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import { AUTOMATIC, BY_FLAGS, BY_RULES } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Facts, WrittenDraft } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import type { Moderation } from '../../domain/site/site.ts'
import { joinAddress } from '../comments/addresses.ts'
import type { StoredJudgement } from '../comments/comments.ts'
import { isInvisible, isVisible, REPLIES, ROOTS } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'
import {
  hasFacts,
  readJudgement,
  storedFacts,
  storedTrace,
  toJudgementColumns,
} from './stored-judgements.ts'

/** A comment with the facts that it was judged by, so that it can be judged again. */
export type JudgedComment = CommentKey &
  WrittenDraft & {
    readonly facts: Facts
    readonly trace: readonly Finding[]
  }

/** The author of a stored comment, as bans are compared with it. */
export type StoredWriter = {
  readonly authorId: number
  readonly role: Role
  readonly email: string | null
  /** Null after retention; `unknown` if the address was not valid. */
  readonly network: string | null
  readonly addressHash: Buffer | null
}

/** A judged comment with all that the bans and modes of now are compared with. */
export type JudgedWriter = StoredWriter &
  WrittenDraft & {
    readonly facts: Facts
    /** Null: the thread has the site's mode. */
    readonly threadModeration: Moderation | null
    /** Whether it is a root comment, or a reply to a comment that readers can read. */
    readonly isBelowPublic: boolean
  }

export type HeldComment = JudgedComment & JudgedWriter

/** `decided`: the status that a moderator chose last; null if no moderator decided. */
export type DecidedComment = JudgedComment & { readonly decided: Status | null }

/** A listing continues before this time, which may be `infinity`, and id. */
export type Before = { readonly at: Instant; readonly id: number }

const columns = sql`c.thread_id, c.id, c.home_thread_id, c.body, c.body_html, a.name as author_name, a.url as author_url,
  c.article_title as suggested_title, ${storedFacts} as facts,
  coalesce(${storedTrace}, '[]') as trace`

const join = sql`comments c join authors a on a.site_id = c.site_id and a.id = c.author_id`

/** Columns of a `StoredWriter`, and what the place of the comment says, after `joinWriter`. */
export const writerColumns = sql`c.author_id, a.role, a.email, d.network, d.address_hash,
  t.moderation as thread_moderation, c.parent_id = 0 or exists (
    select from comments p
    where p.site_id = c.site_id and p.thread_id = c.thread_id and p.id = c.parent_id
      and ${isVisible('p.status')}
  ) as is_below_public`
export const joinWriter = sql`${join} join threads t on t.site_id = c.site_id and t.id = c.thread_id
  ${joinAddress}`

/** Each part is one or two ranges of an index, in order of this time. */
const PARTS = {
  published: { is: isVisible('c.status'), at: sql`c.published_at`, ranges: [ROOTS, REPLIES] },
  held: { is: isInvisible('c.status'), at: sql`c.created_at`, ranges: [sql`true`] },
}
export type Part = keyof typeof PARTS
export const JUDGED_PARTS = Object.keys(PARTS) as Part[]

type Span = { readonly siteId: number; readonly since: Instant; readonly part: Part }

/** Judged comments since a time, latest first. */
export const listJudged = async (
  db: Db,
  { siteId, since, part, before, limit }: Span & { before: Before; limit: number },
): Promise<(DecidedComment & { at: Instant })[]> => {
  const { at, ranges } = PARTS[part]
  const latest = sql`order by ${at} desc, c.id desc limit ${limit}`
  const judged = (range: RawBuilder<unknown>) => sql`(
    select c.* from comments c
    where ${isIn({ siteId, since: sql`${since}::timestamptz`, part, range })}
      and (${at}, c.id) < (${before.at}::timestamptz, ${before.id}) ${latest})`
  const { rows } = await sql<DecidedComment & { at: Instant }>`
    select ${columns}, ${at} as at, d.to_status as decided
    from (${sql.join(ranges.map(judged), sql` union all `)}) c
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    left join lateral (
      select d.to_status from decisions d
      where d.site_id = c.site_id and d.comment_id = c.id and d.action = 'status' and d.caused_by is null
        and d.decided_by not in (${BY_FLAGS}, ${BY_RULES})
        and d.decided_by <> all(${[...AUTOMATIC]}::text[])
        and not exists (select from batches b
          where b.site_id = d.site_id and b.id = d.batch_id and b.kind = 'judge')
      order by d.id desc limit 1
    ) d on true
    ${latest}`.execute(db)
  return rows.map(readJudgement)
}

/** How many comments `listJudged` returns in all, and the time that they begin at. */
export const countJudged = async (
  db: Db,
  { siteId, days }: { siteId: number; days: number },
): Promise<{ total: number; since: Instant }> => {
  const counts = JUDGED_PARTS.flatMap((part) =>
    PARTS[part].ranges.map(
      (range) => sql`
    (select count(*) from comments c where ${isIn({ siteId, since: sql`m.since`, part, range })})`,
    ),
  )
  const { rows } = await sql<{ total: number; since: Instant }>`
    select since, ${sql.join(counts, sql` + `)} as total
    from (select (clock_timestamp() - make_interval(days => ${days}))::timestamptz(3) as since) m`.execute(
    db,
  )
  return rows[0]!
}

type SpanInSql = Omit<Span, 'since'> & {
  readonly since: RawBuilder<unknown>
  readonly range: RawBuilder<unknown>
}

const isIn = ({ siteId, since, part, range }: SpanInSql): RawBuilder<unknown> => {
  const { is, at } = PARTS[part]
  return sql`c.site_id = ${siteId} and ${is} and ${range} and ${at} > ${since}
    and c.created_at > ${since} and ${hasFacts}`
}

/** Comments that only rules hold: no flags and no moderator sent them to the queue, nor took an approval back. */
const isHeldByRules = sql`c.status = 'pending' and ${hasFacts} and c.flag_count = 0
  and not exists (select from decisions d
    left join decisions u on u.site_id = d.site_id and u.id = d.undoes
    where d.site_id = c.site_id and d.comment_id = c.id and d.to_status = 'pending'
      and d.decided_by <> ${BY_RULES}
      and (d.undoes is null or ${isVisible('d.from_status')} and u.decided_by <> ${BY_RULES}))`

/** Comments that rules hold, in order of id. */
export const listHeldByRules = async (
  db: Db,
  at: { siteId: number; afterId: number; upToId: number; limit: number },
): Promise<HeldComment[]> => {
  const { rows } = await sql<HeldComment>`
    select ${columns}, ${writerColumns} from ${joinWriter}
    where c.site_id = ${at.siteId} and c.id > ${at.afterId} and c.id <= ${at.upToId} and ${isHeldByRules}
    order by c.id limit ${at.limit}`.execute(db)
  return rows.map(readJudgement)
}

/** The number of comments that rules hold, and the highest id. */
export const countHeldByRules = async (
  db: Db,
  siteId: number,
): Promise<{ total: number; lastId: number }> => {
  const { rows } = await sql<{ total: number; lastId: number }>`
    select count(*) as total, coalesce(max(c.id), 0) as last_id from comments c
    where c.site_id = ${siteId} and ${isHeldByRules}`.execute(db)
  return rows[0]!
}

/** Locks those comments that rules still hold, in descending order of id, as every writer does. */
export const lockHeldByRules = async (
  tx: Tx,
  siteId: number,
  keys: readonly CommentKey[],
): Promise<HeldComment[]> => {
  const { rows } = await sql<HeldComment>`
    select ${columns}, ${writerColumns} from ${joinWriter}
    where c.site_id = ${siteId} and (c.thread_id, c.id) in (
        select * from unnest(${keys.map(({ threadId }) => threadId)}::bigint[],
          ${keys.map(({ id }) => id)}::bigint[]))
      and a.erased_at is null and ${isHeldByRules}
    order by c.id desc for no key update of c`.execute(tx)
  return rows.map(readJudgement)
}

/** Stores new judgements of comments. */
export const rejudgeComments = async (
  tx: Tx,
  at: { siteId: number; policyVersion: number },
  judged: readonly (Omit<StoredJudgement, 'policyVersion'> & { threadId: number; id: number })[],
): Promise<void> => {
  const columns = judged.map(toJudgementColumns)
  await sql`
    update comments c set policy_version = ${at.policyVersion}, risk = j.risk, facts = j.facts,
      screening = j.screening, packed_facts = j.packed_facts, packed_trace = j.packed_trace
    from unnest(${judged.map(({ threadId }) => threadId)}::bigint[],
      ${judged.map(({ id }) => id)}::bigint[], ${judged.map(({ risk }) => risk)}::smallint[],
      ${columns.map(({ facts }) => facts)}::jsonb[],
      ${columns.map(({ screening }) => screening)}::jsonb[],
      ${columns.map(({ packedFacts }) => packedFacts)}::text[],
      ${columns.map(({ packedTrace }) => packedTrace)}::text[])
      as j (thread_id, id, risk, facts, screening, packed_facts, packed_trace)
    where c.site_id = ${at.siteId} and c.thread_id = j.thread_id and c.id = j.id`.execute(tx)
}
