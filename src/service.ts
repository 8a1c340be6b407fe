import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { buildApp } from './app.ts'
import { createLocalCounters } from './cache/counters.ts'
import { createMemoryPages, createTieredPages } from './cache/pages.ts'
import { createSiteCache } from './cache/sites.ts'
import type { Config } from './config.ts'
import { Refusal } from './domain/refusal.ts'
import type { HealthReport } from './http/routes/running.ts'
import { deriveKeys, type WireKeys } from './http/wire/keys.ts'
import { createDb, type Db } from './postgres/connection/db.ts'
import { checkPostgres } from './postgres/connection/health.ts'
import { migrate } from './postgres/connection/migrate.ts'
import { deleteOldAnswers } from './postgres/idempotency.ts'
import { findSite } from './postgres/sites.ts'
import { closeRedis, createBreaker, createRedis } from './redis/connection.ts'
import { createRedisCounters } from './redis/counters.ts'
import { createRedisPages } from './redis/pages.ts'
import { prepare } from './usecases/prepare.ts'

const DRAIN_MS = 10_000
const REDIS_PAUSE_MS = 1_000
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 1_000
const FORGET_EVERY_MS = 600_000
const FORGET_BATCH = 5_000

export type Service = {
  readonly app: FastifyInstance
  /** Migrates and prepares the database, however long it takes to be there. @returns a made admin key */
  readonly prepare: () => Promise<string | undefined>
  /** Not ready first; then what is in flight is finished, for 10 s at most; then all connections go. */
  readonly close: () => Promise<void>
}

type Parts = {
  config: Config
  databaseUrl: string
  logger: FastifyBaseLogger
  version: string
  /** Ends what would otherwise try for ever. */
  stop: AbortSignal
}

/** Everything of one node, put together. Connects by itself, listens nowhere yet. */
export const createService = async (parts: Parts): Promise<Service> => {
  const { config, databaseUrl, logger, version } = parts
  const state: State = { retired: false }
  const onError = (error: Error) => {
    if (!state.retired) logger.warn({ err: error }, 'postgres: an idle connection was lost')
  }
  const writers = Math.floor(config.AFTERWORD_POOL / 2)
  const main = createDb({ url: databaseUrl, max: config.AFTERWORD_POOL - writers, onError })
  const writes = createDb({ url: databaseUrl, max: writers, onError })
  const health = createDb({ url: databaseUrl, max: 1, onError })
  const shared = createShared(config, logger)
  const sites = createSiteCache((slug) => findSite(main.db, slug))
  const closing = new AbortController()
  const loop = { logger, signal: AbortSignal.any([parts.stop, closing.signal]) }

  const app = await buildApp({
    world: { db: main.db, writes: writes.db, pages: shared.pages, sites },
    version,
    logger,
    counters: shared.counters,
    trustedProxies: config.trustedProxies,
    limits: { read: config.AFTERWORD_LIMIT_READ, write: config.AFTERWORD_LIMIT_WRITE },
    keys: () => {
      if (!state.keys) throw new Refusal('unavailable')
      return state.keys
    },
    readiness: () => report(health.db, shared.redis, state),
    figures: () => ({
      pools: { read: main.figures(), write: writes.figures() },
      pages: shared.pages.stats(),
    }),
  })
  app.addHook('onSend', async (_request, reply) => {
    if (state.retired) reply.header('connection', 'close')
  })

  return {
    app,
    prepare: async () => {
      const attempt = async () => {
        const applied = await migrate({ url: databaseUrl })
        if (applied.length > 0) logger.info({ migrations: applied }, 'migrated')
        const { AFTERWORD_SECRET: secret, AFTERWORD_ADMIN_KEY: adminKey } = config
        return prepare(main.db, { secret, adminKey })
      }
      const { secret, madeKey } = await untilItWorks(attempt, loop)
      state.keys = deriveKeys(secret)
      void forgetRegularly(main.db, loop)
      return madeKey
    },
    close: async () => {
      state.retired = true
      closing.abort()
      const timer = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
      await app.close()
      clearTimeout(timer)
      await Promise.all([
        main.close(),
        writes.close(),
        health.close(),
        shared.redis && closeRedis(shared.redis),
      ])
    },
  }
}

type State = { keys?: WireKeys; retired: boolean }

/** What the nodes share when there is a Redis, and this one has for itself when there is none. */
const createShared = (config: Config, logger: FastifyBaseLogger) => {
  const maxBytes = config.AFTERWORD_CACHE_BYTES
  const reads = createLocalCounters()
  if (!config.REDIS_URL) {
    logger.info('no REDIS_URL: pages and limits are kept in the memory of this process')
    const counters = { reads, writes: createLocalCounters() }
    return { redis: undefined, pages: createMemoryPages({ maxBytes }), counters }
  }
  const redis = createRedis(config.REDIS_URL, logger)
  const breaker = createBreaker({ pauseMs: REDIS_PAUSE_MS })
  const writes = createRedisCounters(redis, createLocalCounters(), breaker)
  const pages = createTieredPages({ maxBytes, store: createRedisPages(redis, breaker) })
  return { redis, pages, counters: { reads, writes } }
}

const report = async (db: Db, redis: Redis | undefined, state: State): Promise<HealthReport> => {
  if (state.retired) return { status: 'unavailable', checks: { service: 'is shutting down' } }
  const redisCheck = redis && (redis.status === 'ready' ? 'ok' : 'away')
  const checks = { ...(redisCheck && { redis: redisCheck }) }
  try {
    const { missingMigrations, notDurable } = await checkPostgres(db)
    const postgres = notDurable.length > 0 ? `not durable: ${notDurable.join(', ')} off` : 'ok'
    const isPrepared = missingMigrations.length === 0 && state.keys !== undefined
    if (!isPrepared)
      return { status: 'unavailable', checks: { ...checks, postgres: 'is not migrated yet' } }
    const isWhole = postgres === 'ok' && redisCheck !== 'away'
    return { status: isWhole ? 'ok' : 'degraded', checks: { ...checks, postgres } }
  } catch {
    return { status: 'unavailable', checks: { ...checks, postgres: 'away' } }
  }
}

type Loop = { logger: FastifyBaseLogger; signal: AbortSignal }

const untilItWorks = async <T>(attempt: () => Promise<T>, { logger, signal }: Loop): Promise<T> => {
  for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_RETRY_MS)) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      logger.error({ err: error }, 'the database is not ready; trying again')
      await sleep(pauseMs, undefined, { signal })
    }
  }
}

/** Answers under Idempotency-Keys are remembered for a day. Any node may forget them. */
const forgetRegularly = async (db: Db, { logger, signal }: Loop): Promise<void> => {
  while (!signal.aborted) {
    try {
      while ((await deleteOldAnswers(db, FORGET_BATCH)) === FORGET_BATCH);
    } catch (error) {
      logger.warn({ err: error }, 'old answers could not be forgotten; trying again later')
    }
    await sleep(FORGET_EVERY_MS, undefined, { signal, ref: false }).catch(() => {})
  }
}
