import { LRUCache } from 'lru-cache'
import type { Site } from '../domain/site.ts'

/** Readers on another node see changed settings no later than this. */
const LIFETIME_MS = 1_000
const MAX_SITES = 10_000

export type SiteCache = {
  /** As it was at most a second ago. One look-up at a time for each slug, however many ask. */
  find: (slug: string) => Promise<Site | undefined>
  /** Forgets it, because this node has just changed it. */
  forget: (slug: string) => void
}

export const createSiteCache = (load: (slug: string) => Promise<Site | undefined>): SiteCache => {
  const cache = new LRUCache<string, { site: Site | undefined }>({
    max: MAX_SITES,
    ttl: LIFETIME_MS,
    fetchMethod: async (slug) => ({ site: await load(slug) }),
  })
  return {
    find: async (slug) => (await cache.fetch(slug))?.site,
    forget: (slug) => void cache.delete(slug),
  }
}
