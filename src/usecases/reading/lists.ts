import type { Author } from '../../domain/comment/comment.ts'
import type { ArticleSort, Position } from '../../domain/comment/sort.ts'
import { isReadable } from '../../domain/comment/status.ts'
import { Refusal } from '../../domain/refusal.ts'
import { articleIdOn, type Site } from '../../domain/site/site.ts'
import * as appearances from '../../postgres/comments/appearances.ts'
import * as rows from '../../postgres/comments/recent.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { findAuthor } from '../../postgres/people/authors.ts'
import * as members from '../../postgres/people/members.ts'
import type { Context } from '../context.ts'

export type { Counts, RecentComment } from '../../postgres/comments/recent.ts'

export type RecentPage = {
  readonly items: readonly rows.RecentComment[]
  readonly next: Position | null
}

/** Lists the published comments of a site, latest first. */
export const listRecent = async (
  context: Context,
  request: rows.RecentRequest,
): Promise<RecentPage> => {
  const found = await runQuery(rows.listRecent(context.db, request))
  const items = found.slice(0, request.limit).filter(({ isOver }) => !isOver)
  const last = items.at(-1)
  const next: Position | null = found.length > items.length && last ? [last.key, last.id] : null
  return { items: items.filter(isReadable), next }
}

type AppearancesRequest = rows.RecentFilter & { readonly after: number; readonly limit: number }

/** `last` is the position from which a later request continues. */
export type AppearancesPage = {
  readonly items: readonly rows.RecentComment[]
  readonly last: number
  readonly isEnd: boolean
}

/** Positions that one page reads for those that match its filter and are visible now. */
const MAX_SCANNED = 1_000
/** Comments that get a position in one transaction. */
const NUMBERED = 1_000

/**
 * Lists the published comments of a site in the order in which they became visible. A page that reaches the end
 * gives positions to the comments that became visible since.
 */
export const listAppearances = async (
  context: Context,
  { after, limit, ...filter }: AppearancesRequest,
): Promise<AppearancesPage> => {
  const { siteId } = filter
  const request = { ...filter, after, limit, maxScanned: Math.max(MAX_SCANNED, limit + 1) }
  const read = () => runQuery(appearances.listAppearances(context.db, request))
  let page = await read()
  let isEnd = page.scanned < request.maxScanned
  if (page.items.length <= limit && isEnd && page.hasNew) {
    const numbered = await inTransaction(context.writes, (tx) =>
      appearances.numberAppearances(tx, { siteId, limit: NUMBERED }),
    )
    // Also if another reader has just given all positions, which this one waited for.
    page = await read()
    isEnd = numbered < NUMBERED && page.scanned < request.maxScanned
  }
  const items = page.items.slice(0, limit).filter(({ isOver }) => !isOver)
  const isFull = page.items.length > items.length
  const last = isFull ? items.at(-1)!.key : (page.last ?? after)
  return { items: items.filter(isReadable), last, isEnd: isEnd && !isFull }
}

type AuthorRequest = { siteId: number; authorId: number; after: Position | null; limit: number }

/**
 * Lists the published comments of an author, latest first. Refuses with `not_found` an author without
 * published comments, on every page of the list.
 */
export const listAuthorComments = async (
  context: Context,
  request: AuthorRequest,
): Promise<RecentPage & { readonly author: Author }> => {
  const anywhere = { ...request, articleIds: [], parent: 'any' } as const
  const page = await listRecent(context, anywhere)
  const isVisible =
    page.items.length > 0 ||
    (await listRecent(context, { ...anywhere, after: null, limit: 1 })).items.length > 0
  const author = await runQuery(findAuthor(context.db, request.siteId, request.authorId))
  if (!author || !isVisible) throw new Refusal('not_found')
  return { ...page, author }
}

/** Lists the articles that have published comments. */
export const listArticles = async (
  context: Context,
  { site, ...request }: { site: Site; sort: ArticleSort; after: Position | null; limit: number },
): Promise<{ items: rows.ListedArticle[]; next: Position | null }> => {
  const found = await runQuery(rows.listArticles(context.db, { siteId: site.id, ...request }))
  const items = found.slice(0, request.limit)
  const last = items.at(-1)
  return { items, next: found.length > items.length && last ? [last.key, last.id] : null }
}

/** Counts the published comments of each article, by the ids and in the order of the request. */
export const countComments = async (
  context: Context,
  { site, articleIds }: { site: Site; articleIds: readonly string[] },
): Promise<rows.Counts[]> => {
  const named = new Map(articleIds.map((id) => [id, articleIdOn(site, id)]))
  const ids = [...new Set(named.values())]
  const found = await runQuery(rows.listCounts(context.db, site.id, ids))
  const byArticle = new Map(found.map((counts) => [counts.articleId, counts]))
  const none = { commentCount: 0, rootCount: 0, lastCommentAt: null }
  return [...named].map(([articleId, id]) => ({ ...(byArticle.get(id) ?? none), articleId }))
}

/** Lists the public staff of a site, longest-standing first. */
export const listStaff = async (
  context: Context,
  request: { siteId: number; afterId: number; limit: number },
): Promise<{ items: members.Staff[]; nextId: number | null }> => {
  const found = await runQuery(members.listStaff(context.db, request))
  const items = found.slice(0, request.limit)
  return { items, nextId: found.length > items.length ? items.at(-1)!.id : null }
}
