import { sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'
import { articleIdOf, articleKey } from '../threads/article-ids.ts'
import {
  isWanted,
  type RecentComment,
  type RecentFilter,
  type RecentRow,
  toRecentComment,
} from './recent.ts'
import {
  articleColumns,
  authorColumns,
  commentColumns,
  joinTally,
  pageColumns,
  placeColumns,
  threadIsVisible,
} from './rows.ts'

/**
 * Gives positions to comments of a site that became visible, oldest first. The lock lasts until the commit, so that
 * positions become readable in their order: a reader who sees one sees all before it. A position is at least
 * the time in microseconds, so that no position is given twice, not even after a backup is restored.
 * @returns how many comments got one, at most `limit`
 */
export const numberAppearances = async (
  tx: Tx,
  { siteId, limit }: { siteId: number; limit: number },
): Promise<number> => {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`appearances ${siteId}`}, 0))`.execute(
    tx,
  )
  const { numAffectedRows } = await sql`
    with taken as (
      delete from new_appearances where site_id = ${siteId} and id = any(array(
        select id from new_appearances where site_id = ${siteId} order by id limit ${limit}))
      returning id, thread_id, comment_id
    ),
    latest as (
      select greatest(
        (extract(epoch from clock_timestamp()) * 1000000)::bigint,
        (select position from appearances where site_id = ${siteId} order by position desc limit 1)
      ) as position
    )
    insert into appearances (site_id, position, thread_id, comment_id)
    select ${siteId}, latest.position + row_number() over (order by id), thread_id, comment_id
    from taken, latest`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

export type AppearancesRequest = RecentFilter & {
  readonly after: number
  readonly limit: number
  /** A page reads at most this many positions, for those that match its filter and are visible now. */
  readonly maxScanned: number
}

export type AppearancesPage = {
  /** `key` is the position. One row more than the limit if it matches. */
  readonly items: RecentComment[]
  /** The last position that was read; null if there is none. */
  readonly last: number | null
  readonly scanned: number
  /** Whether comments wait for a position. */
  readonly hasNew: boolean
}

/** Comments of the site that are visible now, in the order in which they became visible. */
export const listAppearances = async (
  db: Db,
  request: AppearancesRequest,
): Promise<AppearancesPage> => {
  const { siteId, articleIds, after, limit, maxScanned } = request
  const { rows: found } = await sql<Omit<AppearancesPage, 'items'>>`
    select max(position) as last, count(*)::int as scanned,
      exists (select from new_appearances where site_id = ${siteId}) as has_new
    from (
      select position from appearances where site_id = ${siteId} and position > ${after}
      order by position limit ${maxScanned}) s`.execute(db)
  const { last, scanned, hasNew } = found[0]!
  if (last === null) return { items: [], last, scanned, hasNew }
  const ofArticles =
    articleIds.length === 0
      ? sql`true`
      : sql`t.id = any(array(
          select coalesce(alias_of, id) from threads
          where site_id = ${siteId} and article_id = any(${articleIds.map(articleKey)})))`
  const order = sql`order by c.place`
  const { rows } = await sql<RecentRow>`
    with latest as (
      select ${commentColumns}, s.position as key, s.position as place, ${articleIdOf('t')} as article_id, ${articleColumns}
      from (
        select * from appearances where site_id = ${siteId} and position > ${after} and position <= ${last}
        order by position
      ) s
      cross join lateral (
        select * from comments c
        where c.site_id = ${siteId} and c.thread_id = s.thread_id and c.id = s.comment_id and ${isWanted(request)}
        union all
        select * from comments c
        where c.site_id = ${siteId} and c.id = s.comment_id and c.home_thread_id is not null
          and c.thread_id <> s.thread_id and ${isWanted(request)}
      ) c
      join threads t on t.site_id = ${siteId} and t.id = c.thread_id and ${threadIsVisible} and ${ofArticles}
      ${joinTally}
      order by s.position limit ${limit + 1}
    ),
    page as (
      select c.*, c.title as article_title, c.url as article_url, ${placeColumns(sql`false`, order)} from latest c
    )
    select ${pageColumns}, page.article_id, page.article_title, page.article_url, ${authorColumns}
    from page join lateral (
      select * from authors where site_id = ${siteId} and id = page.author_id offset 0
    ) a on true
    order by page.position`.execute(db.withoutPlugins())
  return { items: rows.map(toRecentComment), last, scanned, hasNew }
}
