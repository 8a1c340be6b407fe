import { excerpt } from '../../domain/comment/excerpt.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import type { RecentComment } from '../../usecases/reading/lists.ts'
import { presentWhole } from '../comments/present.ts'

type InArticle = { articleId: string; articleTitle: string | null; articleUrl: string | null }

export const presentArticle = (comment: InArticle) => ({
  id: comment.articleId,
  title: comment.articleTitle,
  url: comment.articleUrl,
})

export const presentRecent = (
  ids: PublicIds,
  comments: readonly RecentComment[],
  excerptLength: number | undefined,
) => {
  ids.prepareComments(comments)
  return comments.map((comment) => presentOne(ids, comment, excerptLength))
}

const presentOne = (ids: PublicIds, comment: RecentComment, excerptLength: number | undefined) => ({
  ...presentWhole(ids, comment),
  article: presentArticle(comment),
  ...(excerptLength !== undefined && { excerpt: excerpt(comment.bodyHtml, excerptLength) }),
})
