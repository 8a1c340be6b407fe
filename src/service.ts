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
import { createOutcomeCounts, type OutcomeCounts } from './domain/outcome-counts.ts'
import type { PublicIdsOf } from './domain/public-id.ts'
import { Refusal } from './domain/refusal.ts'
import { drain } from './http/edge/draining.ts'
import { createBanHashes } from './http/edge/writer-identity.ts'
import { deriveKeys, type WireKeys } from './http/wire/keys.ts'
import { createPublicIds } from './http/wire/public-ids.ts'
import { createPools, type Pools } from './pools.ts'
import { createDiskWatch, findRoom } from './postgres/connection/disk.ts'
import { type FaultReason, reasonOf } from './postgres/connection/fault-reasons.ts'
import { isMigrated, migrate } from './postgres/connection/migrate.ts'
import { countJobs } from './postgres/jobs/jobs.ts'
import { countQueues } from './postgres/moderation/queue-counts.ts'
import { reportHealth } from './readiness.ts'
import { createRedisBreaker } from './redis/breaker.ts'
import { createRedisCacheTokens } from './redis/cache-tokens.ts'
import { isReady } from './redis/client.ts'
import { closeRedis, createRedis } from './redis/connection.ts'
import { createRedisCounters } from './redis/counters.ts'
import { createRedisPages } from './redis/pages.ts'
import type { Context } from './usecases/context.ts'
import { createJobQueue, ensurePeriodicJobs, type JobQueue } from './usecases/jobs/job-queue.ts'
import type { JobFailure } from './usecases/jobs/run-jobs.ts'
import { seedDatabase } from './usecases/seed-database.ts'

const DRAIN_MS = 10_000
const REDIS_PAUSE_MS = 1_000
const TOKEN_BYTES = 8
/** After an error of Redis, no cache token is trusted for this long. */
const DISTRUST_MS = 1_000
/** A node caches for 1,000 ms; the rest allows for late timers. */
const HIDE_WAIT_MS = 1_100
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 1_000
/** How often a node looks for due jobs. A killed node's jobs wait this long and `LEASE_MS` at most. */
const POLL_MS = 2_000

export type Service = {
  readonly app: FastifyInstance
  /** Waits for Postgres, migrates and seeds it, and starts the jobs. @returns a new admin key */
  readonly prepare: () => Promise<string | undefined>
  /** Becomes unready, finishes running requests and jobs for 10 s at most, and closes all connections. */
  readonly close: () => Promise<void>
}

type Parts = {
  config: Config
  databaseUrl: string
  logger: FastifyBaseLogger
  version: string
  /** Ends the wait for Postgres. */
  stop: AbortSignal
  /** Only tests set other timings. */
  protocol?: Partial<CacheTokenTimings>
}

/** Changes while the service runs. */
type State = {
  /** Set once the database is prepared. */
  keys?: WireKeys
  idsOf?: PublicIdsOf
  /** Why the last attempt to prepare the database failed. */
  startFault?: FaultReason
  jobs?: JobQueue
  readonly closing: AbortController
  readonly jobRuns: OutcomeCounts
}

/** Builds one node from its parts. Connects by itself, but does not listen yet. */
export const createService = async (parts: Parts): Promise<Service> => {
  const { config, logger, version } = parts
  const state: State = { closing: new AbortController(), jobRuns: createOutcomeCounts() }
  const checkCounts = createOutcomeCounts()
  const disk = createDiskWatch({ log: logger, findRoom: () => findRoom(pools.health.db) })
  const pools = createPools({
    config,
    url: parts.databaseUrl,
    logger,
    isClosing: () => state.closing.signal.aborted,
    onDiskFull: disk.report,
  })
  const timings = { ...TIMINGS, ...parts.protocol }
  const shared = createShared(config, logger, timings)
  const outbound = { allowedNetworks: config.outboundNetworks }
  const context = createContext({
    db: pools.read.db,
    writes: pools.write.db,
    exports: pools.exports.db,
    cacheTokens: shared.cacheTokens,
    idsOf: (siteId) => whenPrepared(state.idsOf)(siteId),
    banHashes: createBanHashes(() => whenPrepared(state.keys)),
    store: shared.store,
    maxBytes: config.AFTERWORD_CACHE_BYTES,
    hideWaitMs: timings.hideWaitMs,
    kick: (kind) => state.jobs?.kick(kind),
    warn: (fields, message) => logger.warn(fields, message),
    readMemberToken: createMemberTokens({ get: createGuardedGet(outbound) }),
    checks: createChecks({
      request: createGuardedRequest(outbound),
      onAnswer: (kind, outcome) => checkCounts.add(kind, outcome),
    }),
  })
  const app = await buildApp({
    context,
    version,
    logger,
    counters: shared.counters,
    publicUrl: config.publicUrl,
    proxies: { trusted: config.trustedProxies, header: config.AFTERWORD_FORWARDED_HEADER },
    limits: { read: config.AFTERWORD_LIMIT_READ, write: config.AFTERWORD_LIMIT_WRITE },
    keys: () => whenPrepared(state.keys),
    readiness: () =>
      reportHealth(pools.health, {
        isClosing: state.closing.signal.aborted,
        isPrepared: state.keys !== undefined,
        startFault: state.startFault,
        isDiskFull: disk.isFull(),
        isRedisReady: shared.redis && isReady(shared.redis),
      }),
    metricSources: () => ({
      ...readMetrics(pools, context),
      isRedisReady: shared.redis && isReady(shared.redis),
      jobRuns: state.jobRuns,
      checks: checkCounts,
    }),
  })
  return {
    app,
    prepare: () => prepare(parts, context, state),
    close: async () => {
      await closeApp(app, state)
      await context.policyTasks.close()
      await Promise.all([state.jobs?.close(), context.deferredTasks.settled()])
      disk.close()
      await Promise.all(Object.values(pools).map((pool) => pool.close()))
      if (shared.redis) await closeRedis(shared.redis)
    },
  }
}

const whenPrepared = <T>(part: T | undefined): T => {
  if (part === undefined) throw new Refusal('unavailable')
  return part
}

const TIMINGS: CacheTokenTimings = {
  newToken: () => randomBytes(TOKEN_BYTES).toString('base64url'),
  distrustMs: DISTRUST_MS,
  hideWaitMs: HIDE_WAIT_MS,
}

/** The nodes share cache tokens, pages and write limits in Redis. Without Redis a node has its own. */
const createShared = (config: Config, logger: FastifyBaseLogger, timings: CacheTokenTimings) => {
  const reads = createLocalCounters()
  if (!config.REDIS_URL) {
    const isAlone = !config.DATABASE_URL
    logger.info(isAlone ? ALONE : NOT_SHARED)
    const cacheTokens = isAlone ? createLocalCacheTokens(timings.newToken) : NO_CACHE_TOKENS
    const counters = { reads, writes: createLocalCounters() }
    return { redis: undefined, cacheTokens, store: undefined, counters }
  }
  const redis = createRedis(config.REDIS_URL, logger)
  const breaker = createRedisBreaker({ pauseMs: REDIS_PAUSE_MS })
  return {
    redis,
    cacheTokens: createRedisCacheTokens(redis, breaker, timings),
    store: createRedisPages(redis, breaker),
    counters: { reads, writes: createRedisCounters(redis, createLocalCounters(), breaker) },
  }
}

const ALONE = 'no REDIS_URL: pages and limits are kept in the memory of this process'
const NOT_SHARED =
  'no REDIS_URL: limits are counted by this process alone, and every read asks Postgres whether its page is the newest'

const readMetrics = ({ read, write, metrics }: Pools, { pages, lists }: Context) => ({
  pools: { read: read.figures(), write: write.figures() },
  pages: { ...pages.stats(), bytes: pages.stats().bytes + lists.stats().bytes },
  jobs: () => countJobs(metrics.db),
  queues: () => countQueues(metrics.db),
})

const prepare = async (
  { config, databaseUrl, logger, stop }: Parts,
  context: Context,
  state: State,
): Promise<string | undefined> => {
  const attempt = async () => {
    const applied = (await isMigrated(context.db))
      ? []
      : await migrate({
          url: databaseUrl,
          directUrl: config.AFTERWORD_MIGRATION_DATABASE_URL,
          warn: (fields, message) => logger.warn(fields, message),
        })
    if (applied.length > 0) logger.info({ migrations: applied }, 'migrated')
    const { secrets, AFTERWORD_ADMIN_KEY: adminKey } = config
    const seeded = await seedDatabase(context.db, { secrets, adminKey })
    await ensurePeriodicJobs(context)
    return seeded
  }
  const signal = AbortSignal.any([stop, state.closing.signal])
  const { secrets, idSecret, madeKey } = await untilItWorks(attempt, {
    signal,
    onFailure: (error) => {
      state.startFault = reasonOf(error)
      const fields = { err: error, reason: state.startFault }
      logger.error(fields, 'the database is not ready; trying again')
    },
  })
  state.idsOf = createPublicIds(idSecret, config.publicUrl)
  state.keys = deriveKeys(secrets)
  state.jobs = createJobQueue(context, {
    pollMs: POLL_MS,
    onFailure: (failure) => logFailure(logger, failure),
    onOutcome: (kind, outcome) => state.jobRuns.add(kind, outcome),
    onError: (error) => logger.warn({ err: error }, 'jobs not read, will retry'),
  })
  return madeKey
}

const logFailure = (logger: FastifyBaseLogger, { job, error, retryInMs }: JobFailure): void => {
  const { kind, slug: site, key, attempts } = job
  const fields = { err: error, job: kind, site, key, attempts }
  if (retryInMs === undefined) logger.error(fields, 'job given up')
  else logger.warn({ ...fields, retry_in_ms: retryInMs }, 'job failed, will retry')
}

const closeApp = async (app: FastifyInstance, { closing }: State): Promise<void> => {
  closing.abort()
  const timer = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
  await drain(app.server)
  await app.close()
  clearTimeout(timer)
}

type Waiting = { signal: AbortSignal; onFailure: (error: unknown) => void }

const untilItWorks = async <T>(
  attempt: () => Promise<T>,
  { signal, onFailure }: Waiting,
): Promise<T> => {
  for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_RETRY_MS)) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      onFailure(error)
      await sleep(pauseMs, undefined, { signal })
    }
  }
}
