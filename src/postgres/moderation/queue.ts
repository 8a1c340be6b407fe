import { type RawBuilder, sql } from 'kysely'
import type { Position } from '../../domain/comment/sort.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Db } from '../connection/db.ts'
import { isClaimed, listClaims } from './claims.ts'
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
  /** A page scans at most this many comments of each status for those that match its filter. */
  readonly maxScanned?: number
}

/** A comment of the queue, with its sort key. */
export type QueuedComment = CommentKey & { readonly key: number }

/** `next`: where the next page begins, which may be empty. Null at the end of the queue. */
export type QueuePage = {
  readonly comments: readonly QueuedComment[]
  readonly next: Position | null
}

const MAX_SCANNED = 1_000

/** One page of the queue, in order. It ends at the first place where the scan of a status stopped. */
export const findQueuePage = async (db: Db, request: QueueRequest): Promise<QueuePage> => {
  const { limit, sort } = request
  const rows = await findRows(db, request, await findNarrowSource(db, request))
  const { isBefore } = ORDERS[sort]
  const end = rows.find(({ isScanEnd }) => isScanEnd)
  const found = rows.filter(
    (row) => !row.isScanEnd && (!end || !isBefore([end.key, end.id], [row.key, row.id])),
  )
  const comments = found.slice(0, limit).map(({ threadId, id, key }) => ({ threadId, id, key }))
  const last = found.length > limit ? comments.at(-1) : end
  return { comments, next: last ? [last.key, last.id] : null }
}

/** `isScanEnd`: the last comment that the scan of a status read, whether it matches or not. */
type QueueRow = QueuedComment & { readonly isScanEnd: boolean }

/**
 * Each status has a branch of its own, so that each uses its own range of an index, and partial indexes
 * apply. A branch finds at most `limit + 1` comments. If it finds fewer, it also says where its scan
 * stopped: in the same statement, because a second one would see other rows.
 */
const findRows = async (
  db: Db,
  request: QueueRequest,
  narrow: Source | undefined,
): Promise<QueueRow[]> => {
  const { siteId, limit, sort, maxScanned = MAX_SCANNED } = request
  const { key, byKey } = ORDERS[sort]
  const wanted = sql`${matchesFilter(siteId, request)} and ${matchesClaim(request)}`
  const branches = branchesOf(request, narrow).map(({ branch, order }, at) => {
    const found = sql.ref(`found_${at}`)
    const matches = sql`
      ${found} as materialized (
        select c.thread_id, c.id, ${key} as key
        from (
          select c.* ${branch} order by ${order} limit ${narrow ? null : maxScanned}
        ) c
        where ${wanted} order by ${order} limit ${limit + 1})`
    const scanEnd = sql`
      (select c.thread_id, c.id, ${key} as key, true as is_scan_end ${branch}
        and (select count(*) from ${found}) <= ${limit}
      order by ${order} offset ${maxScanned - 1} limit 1)`
    const all = sql`select *, false as is_scan_end from ${found}`
    return { matches, rows: narrow ? all : sql`${all} union all ${scanEnd}` }
  })
  const { rows } = await sql<QueueRow>`
    with ${sql.join(branches.map(({ matches }) => matches))}
    select * from (
      ${sql.join(
        branches.map((one) => one.rows),
        sql` union all `,
      )}
    ) c
    order by ${byKey}`.execute(db)
  return rows
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
 * If the filter matches at most `maxScanned` comments, a page reads them all through the filter's own index; the
 * sort's index would scan many others first.
 */
const findNarrowSource = async (db: Db, request: QueueRequest): Promise<Source | undefined> => {
  const { siteId, statuses, articleId, authorId, isFlagged, claimed } = request
  const { maxScanned = MAX_SCANNED } = request
  if (claimed?.is === 'mine') {
    const source = await findClaimedSource(db, { siteId, by: claimed.by, maxScanned })
    if (source) return source
  }
  const conditions: RawBuilder<unknown>[] = []
  if (authorId !== undefined) conditions.push(sql`c.author_id = ${authorId}`)
  if (articleId !== undefined) conditions.push(ofArticle(siteId, articleId))
  if (isFlagged) conditions.push(IS_FLAGGED)
  for (const where of conditions) {
    const samples = statuses.map(
      (status) => sql`(select 1 from comments c
        where c.site_id = ${siteId} and c.status = ${sql.lit(status)} and ${where}
        limit ${maxScanned + 1})`,
    )
    const { rows } = await sql<{ number: number }>`
      select count(*) as number from (${sql.join(samples, sql` union all `)}) c`.execute(db)
    if (rows[0]!.number <= maxScanned) return { from: ALL_COMMENTS.from, where }
  }
  return undefined
}

/** Undefined if the moderator has claimed too many comments to read them all. */
const findClaimedSource = async (
  db: Db,
  { siteId, by, maxScanned }: { siteId: number; by: string; maxScanned: number },
): Promise<Source | undefined> => {
  const claims = await listClaims(db, siteId, by, maxScanned + 1)
  if (claims.length > maxScanned) return undefined
  return {
    from: sql`unnest(${claims.map(({ threadId }) => threadId)}::bigint[],
        ${claims.map(({ id }) => id)}::bigint[]) as k (claimed_thread_id, claimed_id)
      join comments c on c.thread_id = k.claimed_thread_id and c.id = k.claimed_id`,
    where: sql`true`,
  }
}

const matchesClaim = ({ siteId, claimed }: QueueRequest): RawBuilder<unknown> => {
  if (!claimed) return sql`true`
  const claim = sql`
    select from claims l where l.site_id = ${siteId} and l.comment_id = c.id
      and ${isClaimed('l.claimed_until')}`
  return claimed.is === 'free'
    ? sql`not exists (${claim})`
    : sql`exists (${claim} and l.claimed_by = ${claimed.by})`
}

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

/** The transactions that a moderator can have seen by now, as Postgres writes a snapshot. */
export const findSnapshot = async (db: Db): Promise<string> => {
  const { rows } = await sql<{ snapshot: string }>`
    select pg_current_snapshot()::text as snapshot`.execute(db)
  return rows[0]!.snapshot
}
