import { type RawBuilder, sql } from 'kysely'
import type { Position } from '../../domain/comment/sort.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Db } from '../connection/db.ts'
import { listClaims } from './claims.ts'
import { matchesFilter, ofArticle, type QueueFilter } from './queue-filter.ts'

/** By age, by number of flags, or by risk. */
export const QUEUE_SORTS = ['oldest', 'newest', 'flags', 'risk'] as const
export type QueueSort = (typeof QUEUE_SORTS)[number]

export type QueueRequest = QueueFilter & {
  readonly siteId: number
  readonly sort: QueueSort
  /** The sort key and the id of the last comment of the page before. */
  readonly after: Position | null
  readonly limit: number
  /** Only unclaimed comments, or only those that this moderator has claimed. */
  readonly claimed?: { readonly is: 'free' | 'mine'; readonly by: string } | undefined
}

/** A comment of the queue, with its sort key. */
export type QueuedComment = CommentKey & { readonly key: number }

/** `next`: where the next page begins, which may be empty. Null at the end of the queue. */
export type QueuePage = {
  readonly comments: readonly QueuedComment[]
  readonly next: Position | null
}

/** A page scans at most this many comments of each status for those that match its filter. */
const MAX_SCANNED = 2_000

/** One page of the queue, in order. */
export const findQueuePage = async (db: Db, request: QueueRequest): Promise<QueuePage> => {
  const narrow = await findNarrowSource(db, request)
  const rows = await findComments(db, request, narrow)
  const comments = rows.slice(0, request.limit)
  const last = comments.at(-1)
  if (rows.length > comments.length && last) return { comments, next: [last.key, last.id] }
  const end = narrow ? null : await findScanEnd(db, request)
  if (!end) return { comments, next: null }
  const { isBefore } = ORDERS[request.sort]
  return { comments: comments.filter(({ key, id }) => !isBefore(end, [key, id])), next: end }
}

/**
 * Finds `limit + 1` comments. Each status has a branch of its own, so that each uses its own range of an
 * index, and partial indexes apply.
 */
const findComments = async (
  db: Db,
  request: QueueRequest,
  narrow: Source | undefined,
): Promise<QueuedComment[]> => {
  const { siteId, limit, sort } = request
  const { key, byKey } = ORDERS[sort]
  const wanted = sql`${matchesFilter(siteId, request)} and ${matchesClaim(request)}`
  const parts = branchesOf(request, narrow).map(
    ({ branch, order }) => sql`(
      select c.thread_id, c.id, ${key} as key
      from (
        select c.* ${branch} order by ${order} limit ${narrow ? null : MAX_SCANNED}
      ) c
      where ${wanted} order by ${order} limit ${limit + 1})`,
  )
  const { rows } = await sql<QueuedComment>`
    select * from (${sql.join(parts, sql` union all `)}) c
    order by ${byKey} limit ${limit + 1}`.execute(db)
  return rows
}

/** The last comment that a page scans, if a branch has more behind it. */
const findScanEnd = async (db: Db, request: QueueRequest): Promise<Position | null> => {
  const { byKey, key } = ORDERS[request.sort]
  const parts = branchesOf(request, undefined).map(
    ({ branch, order }) => sql`(
      select ${key} as key, c.id ${branch} order by ${order} offset ${MAX_SCANNED - 1} limit 1)`,
  )
  const { rows } = await sql<{ key: number; id: number }>`
    select * from (${sql.join(parts, sql` union all `)}) c order by ${byKey} limit 1`.execute(db)
  return rows[0] ? [rows[0].key, rows[0].id] : null
}

/** The tables that a page reads, and the condition that selects an index. */
type Source = { readonly from: RawBuilder<unknown>; readonly where: RawBuilder<unknown> }

const ALL_COMMENTS: Source = { from: sql`comments c`, where: sql`true` }

/** One part of a query for each status, and for each partial index that the sort needs. */
const branchesOf = (
  { siteId, statuses, sort, after }: QueueRequest,
  { from, where }: Source = ALL_COMMENTS,
): { branch: RawBuilder<unknown>; order: RawBuilder<unknown> }[] => {
  const { indexesOf, isAfter } = ORDERS[sort]
  return statuses.flatMap((status) =>
    indexesOf(status).map(({ condition, order }) => ({
      order,
      branch: sql`
        from ${from}
        where c.site_id = ${siteId} and c.status = ${sql.lit(status)} and ${condition} and ${where}
          and ${after ? isAfter(after) : sql`true`}`,
    })),
  )
}

/**
 * If the filter matches at most 2,000 comments, a page reads them all through the filter's own index; the
 * sort's index would scan many others first.
 */
const findNarrowSource = async (db: Db, request: QueueRequest): Promise<Source | undefined> => {
  const { siteId, statuses, articleId, authorId, isFlagged, claimed } = request
  if (claimed?.is === 'mine') return findClaimedSource(db, siteId, claimed.by)
  const conditions: RawBuilder<unknown>[] = []
  if (authorId !== undefined) conditions.push(sql`c.author_id = ${authorId}`)
  if (articleId !== undefined) conditions.push(ofArticle(siteId, articleId))
  if (isFlagged) conditions.push(IS_FLAGGED)
  for (const where of conditions) {
    const samples = statuses.map(
      (status) => sql`(select 1 from comments c
        where c.site_id = ${siteId} and c.status = ${sql.lit(status)} and ${where}
        limit ${MAX_SCANNED + 1})`,
    )
    const { rows } = await sql<{ number: number }>`
      select count(*) as number from (${sql.join(samples, sql` union all `)}) c`.execute(db)
    if (rows[0]!.number <= MAX_SCANNED) return { from: ALL_COMMENTS.from, where }
  }
  return undefined
}

const findClaimedSource = async (db: Db, siteId: number, by: string): Promise<Source> => {
  const claims = await listClaims(db, siteId, by, MAX_SCANNED)
  return {
    from: sql`unnest(${claims.map(({ threadId }) => threadId)}::bigint[],
        ${claims.map(({ id }) => id)}::bigint[]) as k (claimed_thread_id, claimed_id)
      join comments c on c.thread_id = k.claimed_thread_id and c.id = k.claimed_id`,
    where: sql`true`,
  }
}

const matchesClaim = ({ siteId, claimed }: QueueRequest): RawBuilder<unknown> =>
  claimed?.is === 'free'
    ? sql`not exists (
        select from claims l where l.site_id = ${siteId} and l.comment_id = c.id
          and l.claimed_until > clock_timestamp())`
    : sql`true`

/** A (partial) index of one status: its condition and its order. */
type SortIndex = { readonly condition: RawBuilder<unknown>; readonly order: RawBuilder<unknown> }

type Order = {
  /** The sort key, beside the id. */
  readonly key: RawBuilder<unknown>
  readonly byKey: RawBuilder<unknown>
  readonly indexesOf: (status: Status) => readonly SortIndex[]
  readonly isAfter: (position: Position) => RawBuilder<unknown>
  readonly isBefore: (one: Position, other: Position) => boolean
}

const isHigher = ([key, id]: Position, [otherKey, otherId]: Position): boolean =>
  key > otherKey || (key === otherKey && id > otherId)

const ALWAYS = sql`true`
const IS_FLAGGED = sql`c.flag_count > 0`
const LATEST_FIRST = sql`c.id desc`

const ORDERS: Record<QueueSort, Order> = {
  oldest: {
    key: sql`0`,
    byKey: sql`c.id`,
    indexesOf: () => [{ condition: ALWAYS, order: sql`c.id` }],
    isAfter: ([, id]) => sql`c.id > ${id}`,
    isBefore: ([, id], [, otherId]) => id < otherId,
  },
  newest: {
    key: sql`0`,
    byKey: LATEST_FIRST,
    indexesOf: () => [{ condition: ALWAYS, order: LATEST_FIRST }],
    isAfter: ([, id]) => sql`c.id < ${id}`,
    isBefore: ([, id], [, otherId]) => id > otherId,
  },
  flags: {
    key: sql`c.flag_count`,
    byKey: sql`c.key desc, c.id desc`,
    indexesOf: () => [
      { condition: IS_FLAGGED, order: sql`c.flag_count desc, c.id desc` },
      { condition: sql`c.flag_count = 0`, order: LATEST_FIRST },
    ],
    isAfter: ([count, id]) => sql`(c.flag_count, c.id) < (${count}, ${id})`,
    isBefore: isHigher,
  },
  // The index by risk contains approved comments only if they have flags.
  risk: {
    key: sql`c.risk`,
    byKey: sql`c.key desc, c.id desc`,
    indexesOf: (status) => [
      { condition: isVisible(status) ? IS_FLAGGED : ALWAYS, order: sql`c.risk desc, c.id desc` },
    ],
    isAfter: ([risk, id]) => sql`(c.risk, c.id) < (${risk}, ${id})`,
    isBefore: isHigher,
  },
}

/** Counts comments by status; a status without comments may be missing. */
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
