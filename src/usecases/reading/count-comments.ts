import type { Site } from '../../domain/site/site.ts'
import { type Counts, listCounts } from '../../postgres/comments/recent.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'

export type { Counts } from '../../postgres/comments/recent.ts'

/** Counts per article, in the order asked for, zeros included. */
export const countComments = async (
  context: Context,
  request: { site: Site; articleIds: readonly string[] },
): Promise<Counts[]> => {
  const found = await runQuery(listCounts(context.db, request.site.id, request.articleIds))
  const byArticle = new Map(found.map((counts) => [counts.articleId, counts]))
  return [...new Set(request.articleIds)].map((id) => byArticle.get(id) ?? zeros(id))
}

const zeros = (articleId: string): Counts => ({
  articleId,
  commentCount: 0,
  rootCount: 0,
  lastCommentAt: null,
})
