import { buildApp } from '../src/app.ts'
import { createLocalCounters } from '../src/cache/counters.ts'
import { createMemoryPages } from '../src/cache/pages.ts'
import { createSiteCache } from '../src/cache/sites.ts'
import { deriveKeys } from '../src/http/wire/keys.ts'
import { createDb } from '../src/postgres/connection/db.ts'
import { findSite } from '../src/postgres/sites.ts'
import type { Teardown, TestWorld } from './world.ts'

/** Another node of a test's Afterword: an app with a pool and a memory of its own on the same database. */
export const openTwin = async (t: Teardown, { url }: TestWorld): Promise<TestWorld['app']> => {
  const { db, close, figures } = createDb({ url, max: 16, onError: () => {} })
  const pages = createMemoryPages({ maxBytes: 16_777_216 })
  const keys = deriveKeys(Buffer.from('a secret for tests'))
  const app = await buildApp({
    world: { db, writes: db, pages, sites: createSiteCache((slug) => findSite(db, slug)) },
    keys: () => keys,
    version: '0.0.0',
    logger: false,
    limits: { read: 0, write: 0 },
    trustedProxies: [],
    counters: { reads: createLocalCounters(), writes: createLocalCounters() },
    readiness: async () => ({ status: 'ok', checks: {} }),
    figures: () => ({ pools: { read: figures(), write: figures() }, pages: pages.stats() }),
  })
  t.teardown(async () => {
    await app.close()
    await close()
  })
  return app
}
