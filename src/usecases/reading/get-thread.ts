import type { Thread } from '../../domain/comment.ts'
import type { Site } from '../../domain/site.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import { findThread } from '../../postgres/threads.ts'
import type { World } from '../world.ts'
import { assertAtLeast } from './versioned-page.ts'

/** The visible thread of an article; undefined when no reader has ever seen one. */
export const getThread = async (
  world: World,
  request: { site: Site; articleId: string; atLeast: number },
): Promise<Thread | undefined> => {
  const thread = await asking(
    findThread(world.db, request.site.id, { articleId: request.articleId }),
  )
  if (thread) assertAtLeast(thread, request.atLeast)
  return thread
}
