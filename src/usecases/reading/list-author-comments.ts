import type { Author } from '../../domain/comment.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Position } from '../../domain/sort.ts'
import { findAuthor } from '../../postgres/authors.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import type { World } from '../world.ts'
import { listRecent, type RecentPage } from './list-recent.ts'

type Request = { siteId: number; authorId: number; after: Position | null; limit: number }

/**
 * What an author has published, latest first. An author who never published anything is as good as
 * absent.
 */
export const listAuthorComments = async (
  world: World,
  request: Request,
): Promise<RecentPage & { readonly author: Author }> => {
  const page = await listRecent(world, { ...request, articleIds: [], parent: 'any' })
  const author = await asking(findAuthor(world.db, request.siteId, request.authorId))
  if (!author || (page.items.length === 0 && request.after === null)) throw new Refusal('not_found')
  return { ...page, author }
}
