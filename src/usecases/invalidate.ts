import { setTimeout as sleep } from 'node:timers/promises'
import { siteToken, threadToken } from '../domain/cache-tokens.ts'
import type { Context } from './context.ts'

/** The threads that a write has changed for readers. */
export type Changes = { readonly siteId: number; readonly threadIds: readonly number[] }

/**
 * Tells every node that these threads, and the lists of their site, have changed: after the commit
 * and before the answer, and also when nobody knows whether there was a commit. Never rejects.
 * @returns false when a node may still show them as they were, for a second at most
 */
export const invalidate = (context: Context, { siteId, threadIds }: Changes): Promise<boolean> =>
  context.cacheTokens.invalidate([
    siteToken(siteId),
    ...threadIds.map((id) => threadToken(siteId, id)),
  ])

/**
 * Runs a write and announces it. When it hides something it is answered only once no node shows what
 * was there before: at once when they could be told, else when none of them can remember it. A
 * refusal, whatever was asked for, may tell that a hide is in force, and a repeated answer does.
 */
export const withInvalidation = async <Answer>(
  context: Context,
  changes: Changes & { readonly isHide: boolean },
  act: () => Promise<Answer>,
): Promise<Answer> => {
  let mayTellOfHide = true
  try {
    const answer = await act()
    mayTellOfHide = changes.isHide
    return answer
  } finally {
    const ended = performance.now()
    const isKnown = await invalidate(context, changes)
    if (!isKnown && mayTellOfHide)
      await sleep(Math.max(0, context.hideWaitMs - (performance.now() - ended)))
  }
}
