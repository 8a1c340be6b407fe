import { type RawBuilder, sql } from 'kysely'
import type { ThreadState } from '../../domain/comment/comment.ts'
import type { Position } from '../../domain/comment/sort.ts'
import { type Instant, instantOf } from '../../domain/instant.ts'
import { closesAt } from '../comments/rows.ts'
import type { Db, Tx } from '../connection/db.ts'
import { contains, type FoundPage, findPage } from '../connection/search.ts'
import { articleIdOf, keyOf } from './article-ids.ts'
import { type ModeratedThread, moderatedThreadColumns } from './threads.ts'

/** By the latest visible comment, or by age of the thread. */
export const THREAD_SORTS = ['active', 'newest'] as const
export type ThreadSort = (typeof THREAD_SORTS)[number]

/** The threads that a moderator asks for; a missing field matches all. */
export type ThreadFilter = {
  readonly states?: readonly ThreadState[] | undefined
  /** Part of the title, the URL or the article id, in any case. */
  readonly q?: string | undefined
  /** Only threads with visible comments, or only those without. */
  readonly hasComments?: boolean | undefined
  /** Only threads without activity after this time. */
  readonly until?: Instant | undefined
}

export type ThreadSearch = ThreadFilter & {
  readonly siteId: number
  readonly sort: ThreadSort
  readonly after: Position | null
  readonly limit: number
  readonly maxScanned?: number
}

/** The threads of a site. Deleted ones and aliases are none. */
const listOf = (siteId: number) => sql`
  from threads r where r.site_id = ${siteId} and r.deleted_at is null and r.alias_of is null`

/** When the latest visible comment was posted, or else when the thread began. */
const activeAt = sql`coalesce(r.last_comment_at, r.created_at)`

/** The state that readers see: after its closing time an open thread is closed. */
const stateNow = sql`
  case when r.state = 'open' and ${closesAt('r')} <= now() then 'closed' else r.state end`

const ORDERS = {
  active: {
    key: sql`(extract(epoch from ${activeAt}) * 1000)::bigint`,
    order: sql`${activeAt} desc, r.id desc`,
    isAfter: ([key, id]: Position) =>
      sql`(${activeAt}, r.id) < (${instantOf(key)}::timestamptz, ${id})`,
  },
  newest: {
    key: sql`0`,
    order: sql`r.id desc`,
    isAfter: ([, id]: Position) => sql`r.id < ${id}`,
  },
}

/** The ids of one page of the threads of a site, in order. */
export const findThreadPage = (db: Db, search: ThreadSearch): Promise<FoundPage> => {
  const { siteId, sort, after, limit, maxScanned } = search
  const { states, hasComments } = search
  const isRare = states?.every((state) => state === 'locked' || state === 'hidden')
  const indexed = [
    ...(isRare ? [sql`r.state <> 'open' and r.state = any(${states}::thread_state[])`] : []),
    ...(hasComments === false ? [sql`r.comment_count = 0`] : []),
  ]
  const filters = filtersOf(search)
  return findPage(
    { list: listOf(siteId), ...ORDERS[sort], filters, indexed, after, limit, maxScanned },
    (statement) => statement.execute(db),
  )
}

const filtersOf = ({ states, q, hasComments, until }: ThreadFilter): RawBuilder<unknown>[] => [
  ...(states ? [sql`${stateNow} = any(${states}::thread_state[])`] : []),
  ...(hasComments === undefined ? [] : [sql`(r.comment_count > 0) = ${hasComments}`]),
  ...(until === undefined ? [] : [sql`${activeAt} <= ${until}`]),
  ...(q === undefined ? [] : [sql`(${sql.join(namesContaining(q), sql` or `)})`]),
]

/** Title and URL as moderators see them: those that staff gave, or else those that a comment suggests. */
const NAMES = [
  articleIdOf('r'),
  sql`case when num_nonnulls(r.title, r.url) > 0 then r.title else r.suggested_title end`,
  sql`case when num_nonnulls(r.title, r.url) > 0 then r.url else r.suggested_url end`,
]

const namesContaining = (q: string) => NAMES.map((name) => contains(name, q))

/** Threads as moderators see them, in no order; those that no longer exist are left out. */
export const listModeratedThreads = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<ModeratedThread[]> => {
  const { rows } = await sql<ModeratedThread>`
    select ${moderatedThreadColumns} from threads t
    where t.site_id = ${siteId} and t.id = any(${ids}::bigint[]) and t.deleted_at is null`.execute(
    db,
  )
  return rows
}

type BatchId = { readonly siteId: number; readonly id: number }

/** A thread of a request, with the state that the moderator saw; undefined for the current one. */
export type SeenThread = { readonly articleId: string; readonly from: ThreadState | undefined }

/** Adds threads to a batch by their articles. An article without a thread gets its outcome immediately. */
export const insertThreadItems = async (
  tx: Tx,
  { siteId, id: batchId }: BatchId,
  threads: readonly SeenThread[],
): Promise<void> => {
  await sql`
    insert into batch_items (site_id, batch_id, thread_id, comment_id, place, article_id, seen_state, outcome)
    select ${siteId}, ${batchId}, coalesce(r.id, 0), case when r.id is null then k.place else 0 end, k.place,
      k.article_id, coalesce(k.seen, ${stateNow}),
      case when r.id is null then 'not_found'::batch_outcome end
    from unnest(${threads.map(({ articleId }) => articleId)}::text[],
      ${threads.map(({ from }) => from ?? null)}::thread_state[])
      with ordinality as k (article_id, seen, place)
    left join threads r
      on r.site_id = ${siteId} and r.deleted_at is null and r.id = (
        select coalesce(alias_of, id) from threads
        where site_id = ${siteId} and article_id = ${keyOf(sql`k.article_id`)})
    on conflict do nothing`.execute(tx)
}

/** Threads per statement, so that it stays far from the statement time-out. */
const RANGE = 10_000

/** Adds the threads that a filter matches now to a batch. */
export const insertThreadItemsByFilter = async (
  tx: Tx,
  { siteId, id: batchId }: BatchId,
  filter: ThreadFilter,
): Promise<void> => {
  const wanted = sql.join([sql`true`, ...filtersOf(filter)], sql` and `)
  for (let after = 0; ; ) {
    const { rows } = await sql<{ last: number | null }>`
      select max(id) as last from (
        select r.id ${listOf(siteId)} and r.id > ${after} order by r.id limit ${RANGE}) r`.execute(
      tx,
    )
    const last = rows[0]!.last
    if (last === null) return
    await sql`
      insert into batch_items (site_id, batch_id, thread_id, comment_id, place, article_id, seen_state)
      select ${siteId}, ${batchId}, r.id, 0, 0, ${articleIdOf('r')}, ${stateNow} ${listOf(siteId)}
        and r.id > ${after} and r.id <= ${last} and ${wanted}`.execute(tx)
    after = last
  }
}

/** A thread of a batch before it is processed. */
export type ThreadItem = {
  readonly threadId: number
  readonly articleId: string
  /** The state that the thread must still have. */
  readonly seen: ThreadState | null
  /** Null if the thread does not exist. */
  readonly state: ThreadState | null
}

/** The threads of a batch in the order of the request. */
export const listThreadItems = async (
  tx: Tx,
  { siteId, id: batchId }: BatchId,
): Promise<ThreadItem[]> => {
  const { rows } = await sql<ThreadItem>`
    select i.thread_id, i.article_id, i.seen_state as seen,
      case when r.id is not null then ${stateNow} end as state
    from batch_items i
    left join threads r on r.site_id = i.site_id and r.id = i.thread_id
    where i.site_id = ${siteId} and i.batch_id = ${batchId}
    order by i.place, i.thread_id`.execute(tx)
  return rows
}
