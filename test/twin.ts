import { buildApp } from '../src/app.ts'
import { createLocalCounters } from '../src/cache/counters.ts'
import { NO_SOURCES } from '../src/http/edge/source-metrics.ts'
import { createBanHashes } from '../src/http/edge/writer-identity.ts'
import { deriveKeys } from '../src/http/wire/keys.ts'
import { createDb } from '../src/postgres/connection/db.ts'
import { createTestContext, SECRET, type Teardown, type TestService } from './service.ts'

/** Another node of a test's Afterword: a pool and a memory of its own, the same database and tokens. */
export const openTwin = async (
  t: Teardown,
  { url, cacheTokens: tokens }: TestService,
  {
    version = '0.0.0',
    limits = { read: 0, write: 0 },
    secrets = [SECRET] as readonly string[],
  } = {},
): Promise<TestService['app']> => {
  const { db, close, figures } = createDb({ url, max: 16, onError: () => {} })
  const [first = '', ...others] = secrets
  const keys = deriveKeys([Buffer.from(first), ...others.map((secret) => Buffer.from(secret))])
  const banHashes = createBanHashes(() => keys)
  const context = { ...createTestContext(db, tokens), banHashes }
  const app = await buildApp({
    context,
    keys: () => keys,
    version,
    logger: false,
    limits,
    publicUrl: '',
    proxies: { trusted: [], header: 'x-forwarded-for' },
    counters: { reads: createLocalCounters(), writes: createLocalCounters() },
    readiness: async () => ({ status: 'ok', checks: {} }),
    metricSources: () => ({
      ...NO_SOURCES,
      pools: { read: figures(), write: figures() },
      pages: context.pages.stats(),
    }),
  })
  t.teardown(async () => {
    await app.close()
    await close()
  })
  return app
}
