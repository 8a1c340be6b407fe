import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { createLocalCacheTokens, NO_CACHE_TOKENS } from './cache/cache-tokens.ts'
import { createLocalCounters } from './cache/counters.ts'
import { createChecks } from './clients/checks.ts'
import { createGuardedGet } from './clients/guarded-get.ts'
import { createGuardedRequest } from './clients/guarded-request.ts'
import { createMemberTokens } from './clients/member-tokens.ts'
import type { Config } from './config.ts'
import { createContext } from './context.ts'
import type { CacheTokenTimings } from './domain/cache-tokens.ts'
import { Refusal } from './domain/refusal.ts'
import type { HealthReport } from './http/service/health.ts'
import { deriveKeys, type WireKeys } from './http/wire/keys.ts'
import { createDb, type Db } from './postgres/connection/db.ts'
import { probePostgres } from './postgres/connection/health.ts'
import { migrate } from './postgres/connection/migrate.ts'
import { createRedisBreaker } from './redis/breaker.ts'
import { createRedisCacheTokens } from './redis/cache-tokens.ts'
import { isReady, type RedisClient } from './redis/client.ts'
import { closeRedis, createRedis } from './redis/connection.ts'
import { createRedisCounters } from './redis/counters.ts'
import { createRedisPages } from './redis/pages.ts'
import type { JobName } from './usecases/context.ts'
import { applyRetention } from './usecases/jobs/apply-retention.ts'
import { bumpClosedThreads } from './usecases/jobs/bump-closed-threads.ts'
import { createPeriodicJob, type PeriodicJob } from './usecases/jobs/periodic.ts'
import { runAuthorTasks } from './usecases/jobs/run-author-tasks.ts'
import { runBatches } from './usecases/jobs/run-batches.ts'
import { runChecks } from './usecases/jobs/run-checks.ts'
import { seedDatabase } from './usecases/seed-database.ts'

const DRAIN_MS = 10_000
const REDIS_PAUSE_MS = 1_000
const TOKEN_BYTES = 8
/** After a fault of Redis no token is trusted for so long. */
const DISTRUST_MS = 1_000
/** A node remembers for 1,000 ms; the rest is for timers that are late. */
const HIDE_WAIT_MS = 1_100
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 1_000
const FORGET_EVERY_MS = 600_000
/** Whatever another node has left undone. */
const LOOK_FOR_TASKS_MS = 10_000
const NOTICE_CLOSED_MS = 10_000

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
  /** Only tests have another one. */
  protocol?: Partial<CacheTokenTimings>
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
  const protocol = { ...PROTOCOL, ...parts.protocol }
  const shared = createShared(config, logger, protocol)
  const outbound = { allowedNetworks: config.outboundNetworks }
  const context = createContext({
    db: main.db,
    writes: writes.db,
    tokens: shared.tokens,
    store: shared.store,
    maxBytes: config.AFTERWORD_CACHE_BYTES,
    hideWaitMs: protocol.hideWaitMs,
    kick: (job) => state[job]?.kick(),
    warn: (fields, message) => logger.warn(fields, message),
    readMemberToken: createMemberTokens({ get: createGuardedGet(outbound) }),
    checks: createChecks({ request: createGuardedRequest(outbound) }),
  })
  const closing = new AbortController()
  const patience = { logger, signal: AbortSignal.any([parts.stop, closing.signal]) }

  const app = await buildApp({
    context,
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
      pages: {
        ...context.pages.stats(),
        bytes: context.pages.stats().bytes + context.lists.stats().bytes,
      },
    }),
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (state.retired) reply.header('connection', 'close')
    done(null, payload)
  })

  return {
    app,
    prepare: async () => {
      const attempt = async () => {
        const applied = await migrate({ url: databaseUrl })
        if (applied.length > 0) logger.info({ migrations: applied }, 'migrated')
        const { AFTERWORD_SECRET: secret, AFTERWORD_ADMIN_KEY: adminKey } = config
        return seedDatabase(main.db, { secret, adminKey })
      }
      const { secret, madeKey } = await untilItWorks(attempt, patience)
      state.keys = deriveKeys(secret)
      const onError = (error: unknown) =>
        logger.warn({ err: error }, 'a job could not be done; trying again later')
      state.tasks = createPeriodicJob((signal) => runAuthorTasks(context, signal), {
        everyMs: LOOK_FOR_TASKS_MS,
        onError,
      })
      state.batches = createPeriodicJob((signal) => runBatches(context, signal), {
        everyMs: LOOK_FOR_TASKS_MS,
        onError,
      })
      state.checks = createPeriodicJob((signal) => runChecks(context, signal), {
        everyMs: LOOK_FOR_TASKS_MS,
        onError,
      })
      state.forgetting = createPeriodicJob((signal) => applyRetention(context, signal), {
        everyMs: FORGET_EVERY_MS,
        onError,
      })
      state.closing = createPeriodicJob((signal) => bumpClosedThreads(context, signal), {
        everyMs: NOTICE_CLOSED_MS,
        onError,
      })
      state.tasks.kick()
      state.batches.kick()
      state.checks.kick()
      state.forgetting.kick()
      state.closing.kick()
      return madeKey
    },
    close: async () => {
      state.retired = true
      closing.abort()
      const timer = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
      await app.close()
      clearTimeout(timer)
      await Promise.all([
        state.tasks?.close(),
        state.batches?.close(),
        state.checks?.close(),
        context.deferredTasks.settled(),
        state.forgetting?.close(),
        state.closing?.close(),
      ])
      await Promise.all([
        main.close(),
        writes.close(),
        health.close(),
        shared.redis && closeRedis(shared.redis),
      ])
    },
  }
}

type State = {
  keys?: WireKeys
  forgetting?: PeriodicJob
  closing?: PeriodicJob
  retired: boolean
} & Partial<Record<JobName, PeriodicJob>>

const PROTOCOL: CacheTokenTimings = {
  newToken: () => randomBytes(TOKEN_BYTES).toString('base64url'),
  distrustMs: DISTRUST_MS,
  hideWaitMs: HIDE_WAIT_MS,
}

/** What the nodes share when there is a Redis, and this one has for itself when there is none. */
const createShared = (config: Config, logger: FastifyBaseLogger, protocol: CacheTokenTimings) => {
  const reads = createLocalCounters()
  if (!config.REDIS_URL) {
    const isAlone = !config.DATABASE_URL
    logger.info(isAlone ? ALONE : NOT_SHARED)
    const tokens = isAlone ? createLocalCacheTokens(protocol.newToken) : NO_CACHE_TOKENS
    const counters = { reads, writes: createLocalCounters() }
    return { redis: undefined, tokens, store: undefined, counters }
  }
  const redis = createRedis(config.REDIS_URL, logger)
  const breaker = createRedisBreaker({ pauseMs: REDIS_PAUSE_MS })
  return {
    redis,
    tokens: createRedisCacheTokens(redis, breaker, protocol),
    store: createRedisPages(redis, breaker),
    counters: { reads, writes: createRedisCounters(redis, createLocalCounters(), breaker) },
  }
}

const ALONE = 'no REDIS_URL: pages and limits are kept in the memory of this process'
const NOT_SHARED =
  'no REDIS_URL: limits are counted by this process alone, and every read asks Postgres whether its page is the newest'

const report = async (
  db: Db,
  redis: RedisClient | undefined,
  state: State,
): Promise<HealthReport> => {
  if (state.retired) return { status: 'unavailable', checks: { service: 'is shutting down' } }
  const redisCheck = redis && (isReady(redis) ? 'ok' : 'away')
  const checks = { ...(redisCheck && { redis: redisCheck }) }
  try {
    const { missingMigrations, notDurable } = await probePostgres(db)
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

type Patience = { logger: FastifyBaseLogger; signal: AbortSignal }

const untilItWorks = async <T>(
  attempt: () => Promise<T>,
  { logger, signal }: Patience,
): Promise<T> => {
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
