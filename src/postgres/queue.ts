import { type RawBuilder, sql } from 'kysely'
import type { Comment } from '../domain/comment.ts'
import type { FlagReason } from '../domain/flag.ts'
import type { Instant } from '../domain/instant.ts'
import type { CommentKey } from '../domain/public-id.ts'
import type { Facts } from '../domain/screening/facts.ts'
import type { Opinion } from '../domain/screening/opinion.ts'
import type { Position } from '../domain/sort.ts'
import type { Status } from '../domain/status.ts'
import type { Db } from './connection/db.ts'
import { authorColumns, type CommentRow, commentColumns, toComment } from './rows.ts'

/** What a reader told the moderators. */
export type ToldFlag = {
  readonly reason: FlagReason
  readonly note: string | null
  readonly authorId: number
  readonly at: Instant
  /** A moderator has decided on the comment since. */
  readonly isResolved: boolean
}

/** A comment as moderators see it. */
export type ModeratedComment = Comment & {
  readonly email: string | null
  readonly network: string | null
  readonly screening: readonly Opinion[] | null
  readonly risk: number
  readonly policyVersion: number | null
  readonly facts: Facts | null
  readonly articleTitle: string | null
  readonly articleUrl: string | null
  /** Flags that no moderator has decided on. */
  readonly flagCount: number
  /** The newest of all, those included that were decided on. */
  readonly flags: readonly ToldFlag[]
}

/** How the queue is ordered: by arrival, or the most flagged first. */
export type QueueSort = 'oldest' | 'newest' | 'flags'

export type QueueRequest = {
  siteId: number
  statuses: readonly Status[]
  articleId?: string | undefined
  authorId?: number | undefined
  /** Found anywhere in the text, in any case. */
  q?: string | undefined
  /** Only those with flags that no moderator has decided on, or only those without. */
  isFlagged?: boolean | undefined
  sort: QueueSort
  /** The number of flags, when it is sorted by them, and the id. */
  after: Position | null
  limit: number
}

const MAX_FLAGS = 20

/**
 * `limit + 1` comments. Each status is named in a branch of its own, so that each has its own range
 * of an index, and one that leaves approved comments without flags out can be used.
 */
export const listQueue = async (db: Db, request: QueueRequest): Promise<ModeratedComment[]> => {
  const { siteId, statuses, limit } = request
  const { by, parts } = ORDERS[request.sort]
  const branches = statuses.flatMap((status) =>
    parts.map(
      (part) => sql`(
        select * from comments c
        where c.site_id = ${siteId} and c.status = ${sql.lit(status)} and ${part} and ${isWanted(request)}
        order by ${by} limit ${limit + 1})`,
    ),
  )
  const order = sql`order by ${by} limit ${limit + 1}`
  return readModerated(db, siteId, { comments: sql.join(branches, sql` union all `), order })
}

/** These comments of the site, with all that moderators see of them; in no order. */
export const listModerated = (
  db: Db,
  siteId: number,
  keys: readonly CommentKey[],
): Promise<ModeratedComment[]> => {
  const comments = sql`
    select c.* from unnest(${keys.map(({ threadId }) => threadId)}::bigint[],
      ${keys.map(({ id }) => id)}::bigint[]) as k (thread_id, id)
    join comments c on c.site_id = ${siteId} and c.thread_id = k.thread_id and c.id = k.id`
  return readModerated(db, siteId, { comments, order: sql`` })
}

const readModerated = async (
  db: Db,
  siteId: number,
  { comments, order }: { comments: RawBuilder<unknown>; order: RawBuilder<unknown> },
): Promise<ModeratedComment[]> => {
  const { rows } = await sql<CommentRow & { articleId: string; flagCount: number }>`
    select ${commentColumns}, c.screening, c.risk, c.policy_version, c.facts, c.network, c.flag_count, a.email, t.article_id,
      t.title as article_title, t.url as article_url, ${authorColumns}
    from (${comments}) c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${order}`.execute(db)
  const flags = await listFlagsOf(db, siteId, rows)
  return rows.map((row) => {
    const told = { flags: flags.get(row.id) ?? [] }
    return toComment(Object.assign(row, told), row.articleId) as unknown as ModeratedComment
  })
}

type Order = {
  readonly by: RawBuilder<unknown>
  /** Each has an index of its own. */
  readonly parts: readonly RawBuilder<unknown>[]
  readonly past: (position: Position) => RawBuilder<unknown>
}

const ORDERS: Record<QueueSort, Order> = {
  oldest: { by: sql`c.id`, parts: [sql`true`], past: ([, id]) => sql`c.id > ${id}` },
  newest: { by: sql`c.id desc`, parts: [sql`true`], past: ([, id]) => sql`c.id < ${id}` },
  flags: {
    by: sql`c.flag_count desc, c.id desc`,
    parts: [sql`c.flag_count > 0`, sql`c.flag_count = 0`],
    past: ([count, id]) => sql`(c.flag_count, c.id) < (${count}, ${id})`,
  },
}

const isWanted = (request: QueueRequest): RawBuilder<unknown> => {
  const { siteId, articleId, authorId, q, isFlagged, sort, after } = request
  const parts: RawBuilder<unknown>[] = [sql`true`]
  if (after) parts.push(ORDERS[sort].past(after))
  if (isFlagged !== undefined) parts.push(isFlagged ? sql`c.flag_count > 0` : sql`c.flag_count = 0`)
  if (articleId !== undefined) {
    const thread = sql`select id from threads where site_id = ${siteId} and article_id = ${articleId}`
    parts.push(sql`c.thread_id = (${thread})`)
  }
  if (authorId !== undefined) parts.push(sql`c.author_id = ${authorId}`)
  if (q !== undefined) parts.push(sql`c.body ilike ${`%${q.replace(/[\\%_]/g, '\\$&')}%`}`)
  return sql.join(parts, sql` and `)
}

type FlagRow = ToldFlag & { readonly id: number }

const listFlagsOf = async (
  db: Db,
  siteId: number,
  comments: readonly { threadId: number; id: number }[],
): Promise<Map<number, FlagRow[]>> => {
  if (comments.length === 0) return new Map()
  const { rows } = await sql<FlagRow>`
    select f.* from unnest(${comments.map(({ threadId }) => threadId)}::bigint[],
      ${comments.map(({ id }) => id)}::bigint[]) as c (thread_id, id)
    cross join lateral (
      select f.comment_id as id, f.reason, f.note, f.author_id, f.flagged_at as "at",
        f.resolved_at is not null as is_resolved
      from flags f
      where f.site_id = ${siteId} and f.thread_id = c.thread_id and f.comment_id = c.id
      order by f.flagged_at desc, f.author_id limit ${MAX_FLAGS}
    ) f`.execute(db)
  return Map.groupBy(rows, ({ id }) => id)
}

/** How many comments of the site have each status; those without any may be missing. */
export const countQueue = async (
  db: Db,
  siteId: number,
): Promise<{ status: Status; count: number }[]> => {
  const { rows } = await sql<{ status: Status; count: number }>`
    select status, count(*) as count from comments
    where site_id = ${siteId} and status in ('pending', 'spam', 'rejected', 'deleted')
    group by status
    union all
    select 'approved', coalesce(sum(comment_count), 0)::bigint from threads
    where site_id = ${siteId}`.execute(db)
  return rows
}
