import type { FoundThread } from '../../cache/threads.ts'
import type { Caller } from '../../domain/people/caller.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Context } from '../context.ts'
import { findShadowView } from './shadow-view.ts'
import { findCurrentThread } from './versioned-page.ts'

/** The visible thread of an article; undefined when no reader has ever seen one. */
export const getThread = async (
  context: Context,
  {
    site,
    caller,
    articleId,
    atLeast,
  }: { site: Site; caller: Caller; articleId: string; atLeast: number },
): Promise<FoundThread | undefined> => {
  const own = await findShadowView(context, { site, caller, thread: { articleId } })
  if (own) return { thread: own.thread, isConfirmed: true }
  return findCurrentThread(context, { siteId: site.id, articleId }, atLeast)
}
