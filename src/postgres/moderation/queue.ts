import { type RawBuilder, sql } from 'kysely'
import type { Comment } from '../../domain/comment/comment.ts'
import type { Position } from '../../domain/comment/sort.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { FlagReason } from '../../domain/moderation/flag.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import { joinAddress } from '../comments/addresses.ts'
import { authorColumns, type CommentRow, commentColumns, toComment } from '../comments/rows.ts'
import type { Db } from '../connection/db.ts'
import { listClaims } from './claims.ts'
import { isWanted, ofArticle, type QueueFilter } from './queue-filter.ts'

/** What a reader told the moderators. */
export type ModeratedFlag = {
  readonly reason: FlagReason
  readonly note: string | null
  readonly authorId: number
  readonly at: Instant
  /** A moderator has decided on the comment since. */
  readonly isResolved: boolean
}

/** A comment as moderators see it. */
export type ModeratedComment = Comment & {
  /** Its author sees it as published. */
  readonly isShadowed: boolean
  readonly email: string | null
  readonly network: string | null
  readonly screening: readonly Finding[] | null
  readonly risk: number
  readonly policyVersion: number | null
  readonly facts: Facts | null
  readonly articleTitle: string | null
  readonly articleUrl: string | null
  /** Flags that no moderator has decided on. */
  readonly flagCount: number
  /** Who has it to itself, and until when. */
  readonly claimedBy: string | null
  readonly claimedUntil: Instant | null
  /** The newest of all, those included that were decided on. */
  readonly flags: readonly ModeratedFlag[]
}

/** How the queue is ordered: by arrival, the most flagged first, or the riskiest. */
export const QUEUE_SORTS = ['oldest', 'newest', 'flags', 'risk'] as const
export type QueueSort = (typeof QUEUE_SORTS)[number]

export type QueueRequest = QueueFilter & {
  readonly siteId: number
  readonly sort: QueueSort
  /** What the sort goes by, and the id. */
  readonly after: Position | null
  readonly limit: number
  /** Only what nobody has claimed, or what this moderator has. */
  readonly claimed?: { readonly is: 'free' | 'mine'; readonly by: string } | undefined
}

export type QueuePlace = CommentKey & { readonly key: number }

/** `next`: where the next page begins; there may be nothing on it. Null: there is no more. */
export type QueuePage = { readonly places: readonly QueuePlace[]; readonly next: Position | null }

const MAX_FLAGS = 20
/**
 * So many comments a page looks at for those that a filter wants. Then it ends, with what it has: the next
 * one goes on from there.
 */
const LOOKED_AT = 2_000

/** A page of the queue: where its comments are, in order. */
export const findQueuePage = async (db: Db, request: QueueRequest): Promise<QueuePage> => {
  const narrow = await findNarrow(db, request)
  const rows = await findPlaces(db, request, narrow)
  const places = rows.slice(0, request.limit)
  const last = places.at(-1)
  if (rows.length > places.length && last) return { places, next: [last.key, last.id] }
  const end = narrow ? null : await findEnd(db, request)
  if (!end) return { places, next: null }
  const { isBefore } = ORDERS[request.sort]
  return { places: places.filter(({ key, id }) => !isBefore(end, [key, id])), next: end }
}

/**
 * `limit + 1` comments. Each status is named in a branch of its own, so that each has its own range
 * of an index, and one that leaves approved comments without flags out can be used.
 */
const findPlaces = async (
  db: Db,
  request: QueueRequest,
  narrow: Source | undefined,
): Promise<QueuePlace[]> => {
  const { limit, sort } = request
  const { key } = ORDERS[sort]
  const parts = branches(request, narrow).map(
    ({ branch, by }) => sql`(
      select c.thread_id, c.id, ${key} as key
      from (
        select c.* ${branch} order by ${by} limit ${narrow ? null : LOOKED_AT}
      ) c
      where ${isInQueue(request)} order by ${by} limit ${limit + 1})`,
  )
  const { rows } = await sql<QueuePlace>`
    select * from (${sql.join(parts, sql` union all `)}) c
    order by ${ORDERS[sort].byKey} limit ${limit + 1}`.execute(db)
  return rows
}

/** The last comment that a page looks at, where one of its branches goes on behind it. */
const findEnd = async (db: Db, request: QueueRequest): Promise<Position | null> => {
  const { byKey, key } = ORDERS[request.sort]
  const parts = branches(request, undefined).map(
    ({ branch, by }) => sql`(
      select ${key} as key, c.id ${branch} order by ${by} offset ${LOOKED_AT - 1} limit 1)`,
  )
  const { rows } = await sql<{ key: number; id: number }>`
    select * from (${sql.join(parts, sql` union all `)}) c order by ${byKey} limit 1`.execute(db)
  return rows[0] ? [rows[0].key, rows[0].id] : null
}

/** Where comments come from, and what an index says of them. */
type Source = { readonly from: RawBuilder<unknown>; readonly where: RawBuilder<unknown> }

const ALL: Source = { from: sql`comments c`, where: sql`true` }

const branches = (
  { siteId, statuses, sort, after }: QueueRequest,
  { from, where }: Source = ALL,
): { branch: RawBuilder<unknown>; by: RawBuilder<unknown> }[] => {
  const { parts, past } = ORDERS[sort]
  return statuses.flatMap((status) =>
    parts(status).map((part) => ({
      by: part.by,
      branch: sql`
        from ${from}
        where c.site_id = ${siteId} and c.status = ${sql.lit(status)} and ${part.has} and ${where}
          and ${after ? past(after) : sql`true`}`,
    })),
  )
}

/**
 * The few comments to which a filter leads by an index of its own, if they are few: then a page looks at
 * all of them. By the sorts' indexes it would look at many others first.
 */
const findNarrow = async (db: Db, request: QueueRequest): Promise<Source | undefined> => {
  const { siteId, statuses, articleId, authorId, isFlagged, claimed } = request
  if (claimed?.is === 'mine') return findMine(db, siteId, claimed.by)
  const ways: RawBuilder<unknown>[] = []
  if (authorId !== undefined) ways.push(sql`c.author_id = ${authorId}`)
  if (articleId !== undefined) ways.push(ofArticle(siteId, articleId))
  if (isFlagged) ways.push(sql`c.flag_count > 0`)
  for (const where of ways) {
    const looks = statuses.map(
      (status) => sql`(select 1 from comments c
        where c.site_id = ${siteId} and c.status = ${sql.lit(status)} and ${where}
        limit ${LOOKED_AT + 1})`,
    )
    const { rows } = await sql<{ number: number }>`
      select count(*) as number from (${sql.join(looks, sql` union all `)}) c`.execute(db)
    if (rows[0]!.number <= LOOKED_AT) return { from: ALL.from, where }
  }
  return undefined
}

const findMine = async (db: Db, siteId: number, by: string): Promise<Source> => {
  const claims = await listClaims(db, siteId, by, LOOKED_AT)
  return {
    from: sql`unnest(${claims.map(({ threadId }) => threadId)}::bigint[],
        ${claims.map(({ id }) => id)}::bigint[]) as k (claimed_thread_id, claimed_id)
      join comments c on c.thread_id = k.claimed_thread_id and c.id = k.claimed_id`,
    where: sql`true`,
  }
}

const isInQueue = (request: QueueRequest): RawBuilder<unknown> => {
  const { siteId, claimed } = request
  if (claimed?.is !== 'free') return isWanted(siteId, request)
  return sql`${isWanted(siteId, request)} and not exists (
    select from claims l where l.site_id = ${siteId} and l.comment_id = c.id
      and l.claimed_until > clock_timestamp())`
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
    select ${commentColumns}, c.shadowed as is_shadowed, c.screening, c.risk, c.policy_version, c.facts,
      d.network, c.flag_count, a.email, t.article_id, t.title as article_title, t.url as article_url,
      l.claimed_by, l.claimed_until, ${authorColumns}
    from (${comments}) c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${joinAddress}
    left join claims l
      on l.site_id = c.site_id and l.comment_id = c.id and l.claimed_until > clock_timestamp()
    ${order}`.execute(db)
  const flags = await listFlagsOf(db, siteId, rows)
  return rows.map((row) => {
    const told = { flags: flags.get(row.id) ?? [] }
    return toComment(Object.assign(row, told), row.articleId) as unknown as ModeratedComment
  })
}

/** A part of a status that has an index of its own, and the order of that index. */
type Part = { readonly has: RawBuilder<unknown>; readonly by: RawBuilder<unknown> }

type Order = {
  /** What it goes by, beside the id. */
  readonly key: RawBuilder<unknown>
  readonly byKey: RawBuilder<unknown>
  readonly parts: (status: Status) => readonly Part[]
  readonly past: (position: Position) => RawBuilder<unknown>
  readonly isBefore: (one: Position, other: Position) => boolean
}

const falling = ([key, id]: Position, [otherKey, otherId]: Position): boolean =>
  key > otherKey || (key === otherKey && id > otherId)

const WHOLE = sql`true`
const FLAGGED = sql`c.flag_count > 0`
const LATEST = sql`c.id desc`

const ORDERS: Record<QueueSort, Order> = {
  oldest: {
    key: sql`0`,
    byKey: sql`c.id`,
    parts: () => [{ has: WHOLE, by: sql`c.id` }],
    past: ([, id]) => sql`c.id > ${id}`,
    isBefore: ([, id], [, otherId]) => id < otherId,
  },
  newest: {
    key: sql`0`,
    byKey: LATEST,
    parts: () => [{ has: WHOLE, by: LATEST }],
    past: ([, id]) => sql`c.id < ${id}`,
    isBefore: ([, id], [, otherId]) => id > otherId,
  },
  flags: {
    key: sql`c.flag_count`,
    byKey: sql`c.key desc, c.id desc`,
    parts: () => [
      { has: FLAGGED, by: sql`c.flag_count desc, c.id desc` },
      { has: sql`c.flag_count = 0`, by: LATEST },
    ],
    past: ([count, id]) => sql`(c.flag_count, c.id) < (${count}, ${id})`,
    isBefore: falling,
  },
  // Of approved comments only those with flags have a place in it.
  risk: {
    key: sql`c.risk`,
    byKey: sql`c.key desc, c.id desc`,
    parts: (status) => [
      { has: isVisible(status) ? FLAGGED : WHOLE, by: sql`c.risk desc, c.id desc` },
    ],
    past: ([risk, id]) => sql`(c.risk, c.id) < (${risk}, ${id})`,
    isBefore: falling,
  },
}

type FlagRow = ModeratedFlag & { readonly id: number }

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
