import type { AuthorCaller, KeyCaller } from '../../domain/people/caller.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findGuest as lookUpGuest } from '../../postgres/people/authors.ts'
import { findKey as lookUpKey, touchKey } from '../../postgres/service/keys.ts'
import { findSite as lookUpSite } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'

/** The site as readers know it, or, for a write, as it is at this moment. */
export const findSite = (
  context: Context,
  slug: string,
  freshness: 'recent' | 'fresh',
): Promise<Site | undefined> =>
  runQuery(freshness === 'fresh' ? lookUpSite(context.db, slug) : context.sites.find(slug))

/** Whose key this is; undefined when it is unknown, expired or revoked. */
export const findKey = async (context: Context, key: string): Promise<KeyCaller | undefined> => {
  const found = await runQuery(lookUpKey(context.db, key))
  // That it is used is worth noting, and not worth failing for.
  if (found?.isStale) await touchKey(context.writes, found.keyId).catch(() => {})
  return found
}

/** Who holds a guest's token; undefined when there is no such guest, or it was erased. */
export const findGuest = async (
  context: Context,
  siteId: number,
  authorId: number,
): Promise<AuthorCaller | undefined> => {
  const onFile = await runQuery(lookUpGuest(context.db, siteId, authorId))
  return onFile && { kind: 'guest', authorId, ...onFile }
}
