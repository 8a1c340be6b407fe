import type { FoundThread } from '../../cache/threads.ts'
import type { Site } from '../../domain/site.ts'
import type { World } from '../world.ts'
import { findCurrentThread } from './versioned-page.ts'

/** The visible thread of an article; undefined when no reader has ever seen one. */
export const getThread = (
  world: World,
  { site, articleId, atLeast }: { site: Site; articleId: string; atLeast: number },
): Promise<FoundThread | undefined> =>
  findCurrentThread(world, { siteId: site.id, articleId }, atLeast)
