import type { KeyHolder } from '../../domain/caller.ts'
import type { Site } from '../../domain/site.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import { findKey as lookUpKey } from '../../postgres/keys.ts'
import { findSite as lookUpSite } from '../../postgres/sites.ts'
import type { World } from '../world.ts'

/** The site as readers know it, or, for a write, as it is at this moment. */
export const findSite = (
  world: World,
  slug: string,
  freshness: 'recent' | 'fresh',
): Promise<Site | undefined> =>
  asking(freshness === 'fresh' ? lookUpSite(world.db, slug) : world.sites.find(slug))

/** Whose key this is; undefined when it is unknown, expired or revoked. */
export const findKey = (world: World, key: string): Promise<KeyHolder | undefined> =>
  asking(lookUpKey(world.db, key))
