import type { AuthorCaller, KeyCaller } from '../../domain/people/caller.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { touchKey } from '../../postgres/service/keys.ts'
import type { Context } from '../context.ts'

/** Returns a site: `recent` may be cached for a second, `fresh` is for writes. */
export const findSite = (
  context: Context,
  slug: string,
  freshness: 'recent' | 'fresh',
): Promise<Site | undefined> =>
  runQuery(freshness === 'fresh' ? context.sites.findCurrent(slug) : context.sites.find(slug))

/** Returns the holder of an API key; undefined if the key is unknown, expired or revoked. */
export const findKey = async (context: Context, key: string): Promise<KeyCaller | undefined> => {
  const found = await context.lookUps.findKey(key)
  // A failure to store the time of use must not fail the request.
  if (found?.isStale) await touchKey(context.writes, found.keyId).catch(() => {})
  return found
}

/** Returns the guest of a guest token; undefined if the guest does not exist or is erased. */
export const findGuest = async (
  context: Context,
  siteId: number,
  authorId: number,
): Promise<AuthorCaller | undefined> => {
  const guest = await context.lookUps.findGuest({ siteId, id: authorId })
  if (!guest) return undefined
  const { id: _, ...known } = guest
  return { kind: 'guest', authorId, ...known }
}
