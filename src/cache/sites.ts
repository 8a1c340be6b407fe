import { LRUCache } from 'lru-cache'
import { atMost } from '../domain/at-most.ts'
import { createBatcher } from '../domain/batcher.ts'
import { withDeadline } from '../domain/deadline.ts'
import { Refusal } from '../domain/refusal.ts'
import type { Site } from '../domain/site/site.ts'
import { createStaleIfError } from './stale-if-error.ts'

/** How long another node can use settings that have changed. */
const LIFETIME_MS = 1_000
const MAX_SITES = 10_000
/** A query can wait for the one before it, and the caller has a response within 3 s. */
const GIVE_UP_MS = 2_800

export type SiteCache = {
  /**
   * The site as it was at most a second ago; while Postgres does not answer, the cached site of any age.
   * Concurrent calls for one slug share one query.
   */
  find: (slug: string) => Promise<Site | undefined>
  /** The site as it is now or later. Concurrent calls share a query that begins after all of them. */
  findCurrent: (slug: string) => Promise<Site | undefined>
  /** The cached site if it is at most a second old. */
  findRecent: (slug: string) => Site | undefined
  /** Drops the cached site after this node has changed it. */
  forget: (slug: string) => void
}

type Entry = { readonly site: Site; readonly at: number }
type Load = Promise<Site | undefined>

export const createSiteCache = (query: (slug: string) => Load): SiteCache => {
  const entries = new LRUCache<string, Entry>(atMost(MAX_SITES))
  const loads = new Map<string, Load>()
  const staleIfError = createStaleIfError()
  const loadCurrent = createBatcher(
    (slugs: readonly string[]) => Promise.all(slugs.map(query)),
    (slug) => slug,
  )

  const load = (slug: string): Load => {
    const at = performance.now()
    const loading: Load = query(slug)
      .then((site) => {
        if (loads.get(slug) === loading && site) entries.set(slug, { site, at })
        else if (loads.get(slug) === loading) entries.delete(slug)
        return site
      })
      .finally(() => loads.get(slug) === loading && loads.delete(slug))
    loads.set(slug, loading)
    return loading
  }

  const findRecent = (slug: string): Site | undefined => {
    const entry = entries.get(slug)
    return entry && performance.now() - entry.at < LIFETIME_MS ? entry.site : undefined
  }

  return {
    findRecent,
    find: async (slug) => {
      const recent = findRecent(slug)
      if (recent) return recent
      const entry = entries.get(slug)
      const loadOnce = () => loads.get(slug) ?? load(slug)
      return entry ? staleIfError(loadOnce, (): Site | undefined => entry.site) : loadOnce()
    },
    findCurrent: (slug) =>
      withDeadline(GIVE_UP_MS, loadCurrent(slug), () => new Refusal('unavailable')),
    // Callers that wait for a running query still get its result.
    forget: (slug) => {
      loads.delete(slug)
      entries.delete(slug)
    },
  }
}
