import { type RawBuilder, sql } from 'kysely'
import type { Thread } from '../../domain/comment/comment.ts'
import { isTail, orderAt, type Place } from '../../domain/comment/place.ts'
import type { Position, Sort } from '../../domain/comment/sort.ts'
import { PAGE_BUDGET, type RankedComment } from '../../domain/comment/tree.ts'
import { instantOf } from '../../domain/instant.ts'
import type { Db } from '../connection/db.ts'
import { articleKey } from '../threads/article-ids.ts'
import {
  authorColumns,
  type CommentRow,
  commentColumns,
  joinTally,
  pageColumns,
  placeColumns,
  threadColumns,
  threadIsVisible,
  toComment,
} from './rows.ts'
import { isVisible } from './visible.ts'

/** A page of a thread and the thread itself, from one statement and thus from one snapshot. */
export type PageRows = { readonly thread: Thread; readonly rows: RankedComment[] }

export type TreeRequest = {
  siteId: number
  /** The parent of the first level. 0 for the thread's roots. */
  parent: { articleId: string } | { threadId: number; commentId: number }
  sort: Sort
  after: Place | null
  limit: number
  depth: number
  replies: number
  /** Opens the page at this comment: each list above it starts with its ancestor. */
  focusId?: number
}

/**
 * Reads a page of the tree, breadth first: `limit + 1` comments of the first level, then up to `replies` below
 * each of them, down to `depth` levels, at most as many rows as a page may have. Each level reads one index
 * range per parent, so the cost depends neither on the size of the thread nor on its depth. Undefined if the
 * thread is not visible or does not show the parent.
 */
export const findTreePage = async (db: Db, request: TreeRequest): Promise<PageRows | undefined> => {
  const statement = treeStatement(request)
  return toPage((await statement.execute(db.withoutPlugins())).rows)
}

/** Tallies alone determine the tree. The statement looks up the page's comments last, in order. */
const treeStatement = (request: TreeRequest): RawBuilder<PageRow> => {
  const { siteId, sort, limit, depth, replies, focusId } = request
  const order = ORDERS[sort]
  const parentId = 'commentId' in request.parent ? request.parent.commentId : 0
  const top = ORDERS[orderAt(sort, request.after)]
  const start = focusId ? fromPath(order, sql`0`) : from(top, request.after)
  // The levels of one statement must have one type of key, and a tail has another order above.
  const keyIn = (level: Order) => (isTail(request.after) ? sql`${level.key}::float8` : level.key)
  const startOfReplies = focusId ? fromPath(order, sql`p.id`) : sql``
  const grown = sql`(select * from tree limit ${PAGE_BUDGET + 1})`
  const picked = focusId
    ? sql`(select * from path_tallies union all select * from ${grown} rest)`
    : grown
  return sql<PageRow>`
    with recursive thread as materialized (${threadOf(request)}),
    ${focusId ? pathTo(siteId, order, focusId) : sql``}
    tree as (
      select * from (
        select ${pickedColumns}, ${keyIn(top)} as key, 1 as level,
          row_number() over (order by ${top.by}) as place
        from thread t cross join lateral (
          select * from comment_tallies k
          where k.site_id = ${siteId} and k.thread_id = t.id and k.parent_id = ${parentId} and k.shown
            ${start}
          order by ${top.by} limit ${limit + 1}
        ) k
      ) roots
      union all
      select ${pickedColumns}, ${keyIn(order)}, p.level + 1, 0
      from tree p cross join lateral (
        select * from comment_tallies k
        where k.site_id = ${siteId} and k.thread_id = p.thread_id and k.parent_id = p.id and k.shown
          ${startOfReplies}
        order by ${order.by} limit ${replies}
      ) k
      where p.level < ${depth} and p.reply_count > 0 and p.place <= ${limit}
    ),
    page as (
      select ${commentColumns}, k.key, ${placeColumns(sql`k.place < 0`)}
      from ${picked} k ${joinComment(siteId)}
    )
    ${selectPage(siteId)}`
}

/** The columns of `comment_tallies k` that a page needs before it looks up comments. */
const pickedColumns = sql`
  k.thread_id, k.comment_id as id, k.score, k.upvotes, k.downvotes, k.reply_count`

/** The comment of a picked row `k`. "offset 0" keeps it one look-up per row, in the order of the rows. */
const joinComment = (siteId: number) => sql`
  cross join lateral (
    select * from comments c
    where c.site_id = ${siteId} and c.thread_id = k.thread_id and c.id = k.id offset 0
  ) c`

export type FlatRequest = {
  siteId: number
  articleId: string
  sort: Sort
  after: Place | null
  limit: number
}

/** Reads `limit + 1` approved comments of a thread in one list, at any depth. */
export const findFlatPage = async (db: Db, request: FlatRequest): Promise<PageRows | undefined> => {
  const { siteId, sort, after, limit } = request
  const order = FLAT_ORDERS[orderAt(sort, after)]
  const rest = sql`${from(order, after)} order by ${order.by} limit ${limit + 1}`
  const latest = sql`
    select * from comments c
    where c.site_id = ${siteId} and c.thread_id = t.id and ${isVisible('c.status')} ${rest}`
  const ranked = sql`
    select k.*, k.comment_id as id from comment_tallies k
    where k.site_id = ${siteId} and k.thread_id = t.id and k.is_visible ${rest}`
  const statement = sql<PageRow>`
    with thread as materialized (${threadOf({ siteId, parent: { articleId: request.articleId } })}),
    page as (
      select ${commentColumns}, ${order.key} as key, ${placeColumns(sql`false`, sql`order by ${order.by}`)}
      from thread t cross join lateral (
        ${order.isOfComments ? latest : ranked}
      ) ${order.isOfComments ? sql`c ${joinTally}` : sql`k ${joinComment(siteId)}`}
    )
    ${selectPage(siteId)}`
  return toPage((await statement.execute(db.withoutPlugins())).rows)
}

/** Reads a shown comment with up to `ancestorCount` of its ancestors, nearest first. */
export const findCommentPage = async (
  db: Db,
  request: { siteId: number; threadId: number; commentId: number; ancestorCount: number },
): Promise<PageRows | undefined> => {
  const { siteId, threadId, commentId, ancestorCount } = request
  const statement = sql<PageRow>`
    with recursive thread as materialized (
      ${threadOf({ siteId, parent: { threadId, commentId } })}
    ),
    page as (
      select ${commentColumns}, 0 as key, 1 as position, true as is_kept, 0 as bytes
      from thread t
      join comments c on c.site_id = ${siteId} and c.thread_id = t.id and c.id = ${commentId}
      ${joinTally}
      union all
      select ${commentColumns}, 0, p.position + 1, true, 0
      from page p join comments c
        on c.site_id = ${siteId} and c.thread_id = p.thread_id and c.id = p.parent_id
      ${joinTally}
      where p.position <= ${ancestorCount}
    )
    ${selectPage(siteId)}`
  return toPage((await statement.execute(db.withoutPlugins())).rows)
}

type Order = {
  readonly column: RawBuilder<unknown>
  readonly id: RawBuilder<unknown>
  /** Whether the index is on `comments c` instead of `comment_tallies k`. */
  readonly isOfComments: boolean
  /** The value in a position: milliseconds for times. */
  readonly key: RawBuilder<unknown>
  readonly by: RawBuilder<unknown>
  readonly ascending: boolean
  readonly isTime: boolean
  /** A value that sorts before every value of the column. */
  readonly first: RawBuilder<unknown>
}

const byTime = (name: string, ascending = false, [alias, id] = TALLY): Order => ({
  ...byNumber(name, ascending, undefined, [alias, id]),
  key: sql`(extract(epoch from ${sql.ref(`${alias}.${name}`)}) * 1000)::bigint`,
  isTime: true,
  first: ascending ? sql`timestamptz '-infinity'` : sql`timestamptz 'infinity'`,
})

const byNumber = (
  name: string,
  ascending = false,
  first = sql`float8 'infinity'`,
  [alias, idColumn] = TALLY,
): Order => {
  const column = sql`${sql.ref(`${alias}.${name}`)}`
  const id = sql`${sql.ref(`${alias}.${idColumn}`)}`
  return {
    column,
    id,
    key: column,
    by: ascending ? sql`${column}, ${id}` : sql`${column} desc, ${id} desc`,
    ascending,
    isTime: false,
    isOfComments: alias === 'c',
    first,
  }
}

/** The alias and the id column of the table that has the index of a sort. */
type Source = readonly [alias: 'k' | 'c', id: string]
const TALLY: Source = ['k', 'comment_id']
const COMMENT: Source = ['c', 'id']

const ORDERS: Record<Sort, Order> = {
  newest: byTime('created_at'),
  oldest: byTime('created_at', true),
  top: byNumber('score', false, sql`int '2147483647'`),
  best: byNumber('best'),
  hot: byNumber('hot'),
  controversial: byNumber('controversy'),
  active: byTime('active_at'),
}

/** In a flat list, an index of comments serves the sorts by time. */
const FLAT_ORDERS: Record<Sort, Order> = {
  ...ORDERS,
  newest: byTime('created_at', false, COMMENT),
  oldest: byTime('created_at', true, COMMENT),
}

/** The key of a comment in a list of this sort. */
export const keyOf = (sort: Sort): RawBuilder<unknown> => ORDERS[sort].key

const past = (order: Order, [key, id]: Position): RawBuilder<unknown> => {
  const value = order.isTime ? sql`${instantOf(key)}::timestamptz` : sql`${key}`
  return sql`and (${order.column}, ${order.id}) ${sql.raw(order.ascending ? '>' : '<')} (${value}, ${id})`
}

/** Starts a list at a place. */
const from = (order: Order, place: Place | null): RawBuilder<unknown> => {
  if (!place) return sql``
  const { position, shown } = place
  const others = sql`and ${order.id} <> all(${shown}::bigint[])`
  return sql`${position ? past(order, position) : sql``} ${shown.length > 0 ? others : sql``}`
}

/** Starts the list under `parentId` at the comment of the path, if the path passes through it. */
const fromPath = (order: Order, parentId: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  and (${order.column}, ${order.id}) ${sql.raw(order.ascending ? '>=' : '<=')} (
    coalesce((select f.sort_key from path f where f.parent_id = ${parentId}), ${order.first}),
    coalesce((select f.id from path f where f.parent_id = ${parentId}),
      ${sql.raw(order.ascending ? '0' : '9223372036854775807')}))`

/** The focused comment and its ancestors. */
const pathTo = (siteId: number, order: Order, focusId: number): RawBuilder<unknown> => sql`
  path as (
    select ${pickedColumns}, ${order.key} as key, k.parent_id, ${order.column} as sort_key, 0 as distance
    from thread t join comment_tallies k on k.site_id = ${siteId} and k.thread_id = t.id
    where k.comment_id = ${focusId} and k.shown
    union all
    select ${pickedColumns}, ${order.key}, k.parent_id, ${order.column}, f.distance + 1
    from path f join comment_tallies k
      on k.site_id = ${siteId} and k.thread_id = f.thread_id and k.comment_id = f.parent_id
  ),
  path_tallies as (
    select k.thread_id, k.id, k.score, k.upvotes, k.downvotes, k.reply_count, k.key, 1 as level,
      -1::bigint as place
    from path k order by k.distance desc
  ),`

const threadOf = (of: { siteId: number; parent: TreeRequest['parent'] }): RawBuilder<unknown> =>
  'articleId' in of.parent
    ? sql`select ${threadColumns} from threads t
        where t.site_id = ${of.siteId} and t.article_id = ${articleKey(of.parent.articleId)} and ${threadIsVisible}`
    : sql`select ${threadColumns} from threads t
        join comment_tallies parent on parent.site_id = t.site_id and parent.thread_id = t.id
        where t.site_id = ${of.siteId} and t.id = ${of.parent.threadId} and ${threadIsVisible}
          and parent.comment_id = ${of.parent.commentId} and parent.shown`

/**
 * Selects one row per comment of `page`, the first beside the thread. Without comments it selects one row
 * with the thread alone.
 */
const selectPage = (siteId: number): RawBuilder<unknown> => sql`
  select t.id as thread, t.article_id, t.title, t.url, t.version, t.comment_count, t.root_count,
    t.last_comment_at, t.state, t.closes_at, t.slow_mode_seconds, ${pageColumns}, ${authorColumns}
  from page full join (select *, 1::bigint as place from thread) t on t.place = page.position
  left join lateral (
    -- "offset 0" keeps this a look-up per comment, whatever the planner believes of authors
    select * from authors where site_id = ${siteId} and id = page.author_id offset 0
  ) a on true
  order by page.position`

type PageRow = Omit<Thread, 'id'> & { thread: number } & CommentRow & {
    isOver: boolean
    key: number
    id: number | null
  }

const toPage = (rows: readonly PageRow[]): PageRows | undefined => {
  const [first] = rows
  if (!first) return undefined
  const { thread: id, articleId, title, url, state, version } = first
  const { commentCount, rootCount, lastCommentAt, closesAt, slowModeSeconds } = first
  const seen = new Set<number>()
  const isNew = (row: PageRow) => row.id !== null && !seen.has(row.id) && seen.add(row.id)
  return {
    thread: {
      id,
      articleId,
      title,
      url,
      state,
      version,
      commentCount,
      rootCount,
      lastCommentAt,
      closesAt,
      slowModeSeconds,
    },
    rows: rows.filter(isNew).map((row) => toComment(row, articleId)),
  }
}
