import type { Author } from '../../domain/comment/comment.ts'
import type { Position } from '../../domain/comment/sort.ts'
import { Refusal } from '../../domain/refusal.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findAuthor } from '../../postgres/people/authors.ts'
import type { Context } from '../context.ts'
import { listRecent, type RecentPage } from './list-recent.ts'

type Request = { siteId: number; authorId: number; after: Position | null; limit: number }

/**
 * What an author has published, latest first. An author of whom readers can see nothing is as
 * good as absent, in the middle of a walk too.
 */
export const listAuthorComments = async (
  context: Context,
  request: Request,
): Promise<RecentPage & { readonly author: Author }> => {
  const everything = { articleIds: [], parent: 'any' } as const
  const page = await listRecent(context, { ...request, ...everything })
  const first = { ...request, ...everything, after: null, limit: 1 }
  const isAbsent = page.items.length === 0 && (await listRecent(context, first)).items.length === 0
  const author = await runQuery(findAuthor(context.db, request.siteId, request.authorId))
  if (!author || isAbsent) throw new Refusal('not_found')
  return { ...page, author }
}
