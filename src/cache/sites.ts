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
  const cache = new LRUCache<string, Promise<Site | undefined>>({
    max: MAX_SITES,
    ttl: LIFETIME_MS,
  })
  const look = (slug: string): Promise<Site | undefined> => {
    const loading = load(slug)
    cache.set(slug, loading)
    loading.catch(() => cache.peek(slug) === loading && cache.delete(slug))
    return loading
  }
  return {
    find: (slug) => cache.get(slug) ?? look(slug),
    // Whoever waits for the look-up that is under way still gets what it finds.
    forget: (slug) => void cache.delete(slug),
  }
}
