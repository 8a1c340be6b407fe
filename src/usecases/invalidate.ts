import { setTimeout as sleep } from 'node:timers/promises'
import { siteToken, threadToken } from '../domain/cache-tokens.ts'
import type { Context } from './context.ts'

/** The threads in which a write changes what readers see. */
export type Changes = { readonly siteId: number; readonly threadIds: readonly number[] }

/**
 * Makes every node drop what it has cached of these threads and of their site's lists. Runs after the
 * commit and before the response, also if the result of the commit is unknown. Never rejects.
 * @returns false if a node may still show cached data, for at most one second
 */
export const invalidate = (
  context: Pick<Context, 'cacheTokens'>,
  { siteId, threadIds }: Changes,
): Promise<boolean> =>
  context.cacheTokens.invalidate([
    siteToken(siteId),
    ...threadIds.map((id) => threadToken(siteId, id)),
  ])

type MayTell = { readonly mayTellOfHide: boolean }

/**
 * Invalidates what a write changed. Resolves when its response may be sent: if a response may tell that a comment is
 * hidden, after every node has dropped its cached copy. If invalidation fails, it waits `hideWaitMs`, until all copies
 * have expired.
 */
export const makeVisible = async (
  context: Pick<Context, 'cacheTokens' | 'hideWaitMs'>,
  { mayTellOfHide, ...changes }: Changes & MayTell,
): Promise<void> => {
  const endedAt = performance.now()
  const isInvalidated = await invalidate(context, changes)
  if (!isInvalidated && mayTellOfHide)
    await sleep(Math.max(0, context.hideWaitMs - (performance.now() - endedAt)))
}

/** Runs a write, then `makeVisible`. Every refusal may tell that a comment is hidden. */
export const withInvalidation = async <Response>(
  context: Context,
  { isHide, ...changes }: Changes & { readonly isHide: boolean },
  write: () => Promise<Response>,
): Promise<Response> => {
  let mayTellOfHide = true
  try {
    const response = await write()
    mayTellOfHide = isHide
    return response
  } finally {
    await makeVisible(context, { ...changes, mayTellOfHide })
  }
}
