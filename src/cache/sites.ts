import { LRUCache } from 'lru-cache'
import type { Site } from '../domain/site/site.ts'
import { createStaleIfError } from './stale-if-error.ts'

/** Readers on another node see changed settings no later than this. */
const LIFETIME_MS = 1_000
const MAX_SITES = 10_000

export type SiteCache = {
  /**
   * As it was at most a second ago, or whatever is remembered while Postgres does not answer. One
   * look-up at a time for each slug, however many ask.
   */
  find: (slug: string) => Promise<Site | undefined>
  /** Forgets it, because this node has just changed it. */
  forget: (slug: string) => void
}

type Known = { readonly site: Site; readonly at: number }
type Look = Promise<Site | undefined>

export const createSiteCache = (load: (slug: string) => Look): SiteCache => {
  const known = new LRUCache<string, Known>({ max: MAX_SITES })
  const looks = new Map<string, Look>()
  const patiently = createStaleIfError()

  const look = (slug: string): Look => {
    const at = performance.now()
    const looking: Look = load(slug)
      .then((site) => {
        if (looks.get(slug) === looking && site) known.set(slug, { site, at })
        else if (looks.get(slug) === looking) known.delete(slug)
        return site
      })
      .finally(() => looks.get(slug) === looking && looks.delete(slug))
    looks.set(slug, looking)
    return looking
  }

  return {
    find: async (slug) => {
      const entry = known.get(slug)
      if (entry && performance.now() - entry.at < LIFETIME_MS) return entry.site
      const learn = () => looks.get(slug) ?? look(slug)
      return entry ? patiently(learn, (): Site | undefined => entry.site) : learn()
    },
    // Whoever waits for the look-up that is under way still gets what it finds.
    forget: (slug) => {
      looks.delete(slug)
      known.delete(slug)
    },
  }
}
