import { setTimeout as sleep } from 'node:timers/promises'
import { siteToken, threadToken } from '../domain/tokens.ts'
import type { World } from './world.ts'

/** The threads that a write has changed for readers. */
export type Changes = { readonly siteId: number; readonly threadIds: readonly number[] }

/**
 * Tells every node that these threads, and the lists of their site, have changed: after the commit
 * and before the answer, and also when nobody knows whether there was a commit. Never rejects.
 * @returns false when a node may still show them as they were, for a second at most
 */
export const announce = (world: World, { siteId, threadIds }: Changes): Promise<boolean> =>
  world.tokens.announce([siteToken(siteId), ...threadIds.map((id) => threadToken(siteId, id))])

/**
 * Runs a write that may hide something. Whatever comes of it, a refusal or a repeated answer
 * included, may tell that a hide is in force, so it is answered only once no node shows what was
 * there before: at once when they could be told, else when none of them can remember it.
 */
export const announcingHide = async <Answer>(
  world: World,
  changes: Changes,
  act: () => Promise<Answer>,
): Promise<Answer> => {
  try {
    return await act()
  } finally {
    const ended = performance.now()
    if (!(await announce(world, changes))) {
      await sleep(world.hideWaitMs - (performance.now() - ended))
    }
  }
}
