import { type RawBuilder, sql } from 'kysely'
import type { Comment, Thread } from '../../domain/comment/comment.ts'
import type { ArticleSort, Position } from '../../domain/comment/sort.ts'
import { instantOf } from '../../domain/instant.ts'
import type { Db } from '../connection/db.ts'
import { articleIdOf, articleKey } from '../threads/article-ids.ts'
import {
  articleColumns,
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
import { isVisible, REPLIES, ROOTS } from './visible.ts'

/** A comment outside its thread, with the data that a reader needs to find the article. */
export type RecentComment = Comment & {
  /** `published_at` in milliseconds. */
  readonly key: number
  /** True if the page leaves the comment out for its size: see `RankedComment`. */
  readonly isOver: boolean
  readonly articleTitle: string | null
  readonly articleUrl: string | null
}

export type RecentFilter = {
  readonly siteId: number
  readonly articleIds: readonly string[]
  readonly authorId?: number | undefined
  readonly parent: 'any' | 'root' | 'reply'
}

export type RecentRequest = RecentFilter & {
  readonly after: Position | null
  readonly limit: number
}

export type RecentRow = CommentRow & { articleId: string }

export const toRecentComment = (row: RecentRow): RecentComment =>
  toComment(row, row.articleId) as unknown as RecentComment

/**
 * Lists `limit + 1` approved comments of visible threads, latest published first. Several articles are read
 * one by one, so that the size of the site does not matter.
 */
export const listRecent = async (db: Db, request: RecentRequest): Promise<RecentComment[]> => {
  const { siteId, articleIds, limit } = request
  const fromThreads = sql`(
    select c.*, ${articleIdOf('t')} as article_id, ${articleColumns}
    from threads t cross join lateral (
      select * from comments c
      where c.site_id = t.site_id and c.thread_id = t.id and ${isWanted(request)} and ${isAfter(request.after)}
      order by c.published_at desc, c.id desc limit ${limit + 1}
    ) c
    where t.site_id = ${siteId} and ${threadIsVisible} and t.id = any(array(
      select coalesce(alias_of, id) from threads
      where site_id = ${siteId} and article_id = any(${articleIds.map(articleKey)})))) c`
  const latest = sql`order by c.published_at desc, c.id desc`
  const inSite = (kind: RawBuilder<unknown>) => sql`(
    select c.*, ${articleIdOf('t')} as article_id, ${articleColumns}
    from comments c join threads t on t.site_id = c.site_id and t.id = c.thread_id and ${threadIsVisible}
    where c.site_id = ${siteId} and ${isWanted(request)} and ${isAfter(request.after)} and ${kind}
    ${latest} limit ${limit + 1})`
  const kinds = request.authorId === undefined ? KINDS[request.parent] : [sql`true`]
  const fromSite = sql`(${sql.join(kinds.map(inSite), sql` union all `)}) c`
  const { rows } = await sql<RecentRow>`
    with latest as (
      select ${commentColumns}, (extract(epoch from c.published_at) * 1000)::bigint as key,
        c.article_id, c.title as article_title, c.url as article_url
      from ${articleIds.length > 0 ? fromThreads : fromSite} ${joinTally}
      ${latest} limit ${limit + 1}
    ),
    page as (select *, ${placeColumns(sql`false`, latest)} from latest c)
    select ${pageColumns}, page.article_id, page.article_title, page.article_url, ${authorColumns}
    from page join lateral (
      select * from authors where site_id = ${siteId} and id = page.author_id offset 0
    ) a on true
    order by page.position`.execute(db.withoutPlugins())
  return rows.map(toRecentComment)
}

/** Whether readers see `comments c`, and the filter matches it. */
export const isWanted = ({ authorId, parent }: RecentFilter): RawBuilder<unknown> => {
  const parts: RawBuilder<unknown>[] = [isVisible('c.status'), PARENTS[parent]]
  if (authorId !== undefined) parts.push(sql`c.author_id = ${authorId}`)
  return sql.join(parts, sql` and `)
}

const isAfter = (after: Position | null): RawBuilder<unknown> =>
  after
    ? sql`(c.published_at, c.id) < (${instantOf(after[0])}::timestamptz, ${after[1]})`
    : sql`true`

/** Postgres merges two ranges of one index faster than it maintains a third index. */
const KINDS = { any: [ROOTS, REPLIES], root: [ROOTS], reply: [REPLIES] }

const PARENTS = {
  any: sql`true`,
  root: sql`c.parent_id = 0`,
  reply: sql`c.parent_id <> 0`,
}

export type Counts = Pick<Thread, 'articleId' | 'commentCount' | 'rootCount' | 'lastCommentAt'>

const countColumns = sql`t.comment_count, t.root_count, t.last_comment_at`

/** Counts of the articles that have a visible thread, each by the id that names it in the question. */
export const listCounts = async (
  db: Db,
  siteId: number,
  articleIds: readonly string[],
): Promise<Counts[]> => {
  const { rows } = await sql<Counts & { aliasOf: number | null }>`
    select ${articleIdOf('t')} as article_id, t.alias_of, ${countColumns} from threads t
    where t.site_id = ${siteId} and t.article_id = any(${articleIds.map(articleKey)})
      and (t.alias_of is not null or ${threadIsVisible})`.execute(db)
  const aliases = rows.filter(({ aliasOf }) => aliasOf !== null)
  if (aliases.length === 0) return rows
  const { rows: threads } = await sql<Omit<Counts, 'articleId'> & { id: number }>`
    select t.id, ${countColumns} from threads t
    where t.site_id = ${siteId} and t.id = any(${aliases.map(({ aliasOf }) => aliasOf)}::bigint[])
      and ${threadIsVisible}`.execute(db)
  const byId = new Map(threads.map((thread) => [thread.id, thread]))
  return rows.flatMap((row): Counts[] => {
    if (row.aliasOf === null) return [row]
    const counts = byId.get(row.aliasOf)
    return counts ? [{ ...counts, articleId: row.articleId }] : []
  })
}

export type ListedArticle = Thread & { readonly key: number }

/** Lists `limit + 1` visible threads that have comments. */
export const listArticles = async (
  db: Db,
  request: { siteId: number; sort: ArticleSort; after: Position | null; limit: number },
): Promise<ListedArticle[]> => {
  const { siteId, sort, after, limit } = request
  const { key, by, past } = ARTICLE_ORDERS[sort]
  const { rows } = await sql<ListedArticle>`
    select ${threadColumns}, ${key} as key from threads t
    where t.site_id = ${siteId} and t.comment_count > 0 and t.state <> 'hidden'
      ${after ? past(after) : sql``}
    order by ${by} limit ${limit + 1}`.execute(db)
  return rows
}

const ARTICLE_ORDERS = {
  active: {
    key: sql`(extract(epoch from t.last_comment_at) * 1000)::bigint`,
    by: sql`t.last_comment_at desc, t.id desc`,
    past: ([key, id]: Position) =>
      sql`and (t.last_comment_at, t.id) < (${instantOf(key)}::timestamptz, ${id})`,
  },
  most: {
    key: sql`t.comment_count`,
    by: sql`t.comment_count desc, t.id desc`,
    past: ([key, id]: Position) => sql`and (t.comment_count, t.id) < (${key}, ${id})`,
  },
  newest: {
    key: sql`0`,
    by: sql`t.id desc`,
    past: ([, id]: Position) => sql`and t.id < ${id}`,
  },
}
