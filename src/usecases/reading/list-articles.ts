import type { ArticleSort, Position } from '../../domain/comment/sort.ts'
import type { Site } from '../../domain/site/site.ts'
import { listArticles as findArticles, type ListedArticle } from '../../postgres/comments/recent.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'

type Request = { site: Site; sort: ArticleSort; after: Position | null; limit: number }

/** Articles that have comments. */
export const listArticles = async (
  context: Context,
  { site, ...request }: Request,
): Promise<{ items: ListedArticle[]; next: Position | null }> => {
  const rows = await runQuery(findArticles(context.db, { siteId: site.id, ...request }))
  const items = rows.slice(0, request.limit)
  const last = items.at(-1)
  return { items, next: rows.length > items.length && last ? [last.key, last.id] : null }
}
