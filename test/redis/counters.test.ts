import { randomUUID } from 'node:crypto'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import t from 'tap'
import { createLocalCounters } from '../../src/cache/counters.ts'
import type { Counters } from '../../src/domain/counters.ts'
import { createRedisBreaker } from '../../src/redis/breaker.ts'
import { createRedisCounters } from '../../src/redis/counters.ts'
import {
  openPatientRedis,
  openRedis,
  skipOwn,
  skipShared,
  startServer,
  until,
} from './own-server.ts'

const HOUR_MS = 3_600_000
const SHARED_URL = process.env.TEST_REDIS_URL ?? ''

/** A fallback that a test can tell from Redis: it never counts above 0. */
const noFallback: Counters = { hit: async () => ({ current: 0, ttlMs: 0 }) }

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

const limitKey = (key: string): string => `afterword:limit:{${key}}`

t.test(
  'Redis counters: 1,000 concurrent hits over two nodes are each counted once',
  { skip: skipShared },
  async (t) => {
    const key = randomUUID()
    const clients = await Promise.all([1, 2].map(() => openPatientRedis(t, SHARED_URL)))
    const nodes = clients.map((redis) =>
      createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 0 })),
    )
    const hits = await Promise.all(upTo(1_000).map((i) => nodes[i % 2]!.hit(key, HOUR_MS)))
    // A slow machine has late answers: they are the fallback's, but Redis has counted those hits too.
    const counted = hits.filter(({ current }) => current > 0)
    t.ok(counted.length > 0)
    t.equal(new Set(counted.map(({ current }) => current)).size, counted.length)
    t.ok(counted.every(({ ttlMs }) => ttlMs > 0 && ttlMs <= HOUR_MS))
    t.equal(
      await until('all hits', async () => {
        const all = Number(await clients[0]!.get(limitKey(key)))
        return all >= 1_000 ? all : undefined
      }),
      1_000,
    )
  },
)

t.test(
  'Redis counters: a key that lost its expiry gets one again',
  { skip: skipShared },
  async (t) => {
    const key = randomUUID()
    const redis = await openPatientRedis(t, SHARED_URL)
    const counters = createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 1_000 }))
    await redis.set(limitKey(key), 7)
    t.same(await counters.hit(key, HOUR_MS), { current: 8, ttlMs: HOUR_MS })
    t.ok((await redis.pttl(limitKey(key))) > 0)
  },
)

t.test(
  'Redis counters: a removed hit is removed for all nodes',
  { skip: skipShared },
  async (t) => {
    const key = randomUUID()
    const open = async () => {
      const redis = await openPatientRedis(t, SHARED_URL)
      return createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 1_000 }))
    }
    const [one, other] = [await open(), await open()]
    t.match(await one.hit(key, HOUR_MS), { current: 1 })
    t.match(await other.hit(key, HOUR_MS), { current: 2 })
    t.match(await one.hit(key, HOUR_MS, -1), { current: 1 })
    t.match(await other.hit(key, HOUR_MS), { current: 2 })
  },
)

t.test(
  'Redis counters: a window ends, and the next hit opens another',
  { skip: skipShared },
  async (t) => {
    const key = randomUUID()
    const redis = await openPatientRedis(t, SHARED_URL)
    const counters = createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 1_000 }))
    await counters.hit(key, 50)
    const { current } = await until('a first hit again', async () => {
      const hit = await counters.hit(key, 50)
      return hit.current === 1 ? hit : undefined
    })
    t.equal(current, 1)
  },
)

t.test('Redis counters survive a flush of the scripts', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const redis = await openPatientRedis(t, server.url)
  const counters = createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 1_000 }))
  await counters.hit('a', HOUR_MS)
  await redis.script('FLUSH')
  t.equal((await counters.hit('a', HOUR_MS)).current, 2)
})

t.test('Redis counters count locally while Redis is frozen', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis } = await openRedis(t, server.url)
  const breaker = createRedisBreaker({ pauseMs: 600_000 })
  const counters = createRedisCounters(redis, createLocalCounters(), breaker)
  for (let i = 1; i <= 3; i++) t.equal((await counters.hit('a', HOUR_MS)).current, i)
  server.freeze()
  for (let i = 4; i <= 50; i++) t.equal((await counters.hit('a', HOUR_MS)).current, i)
})

t.test('Redis counters count locally when Redis returns an error', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const redis = await openPatientRedis(t, server.url)
  const breaker = createRedisBreaker({ pauseMs: 600_000 })
  const counters = createRedisCounters(redis, createLocalCounters(), breaker)
  await redis.set(limitKey('a'), 'not a number')
  t.equal((await counters.hit('a', HOUR_MS)).current, 1)
  t.equal((await counters.hit('a', HOUR_MS)).current, 2)
})

t.test('Redis counters use Redis again after a restart', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis } = await openRedis(t, server.url)
  const counters = createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 20 }))
  const countByRedis = () =>
    until('a count by redis', async () => (await counters.hit('a', HOUR_MS)).current || undefined)
  t.ok((await countByRedis()) > 0)
  await server.kill()
  t.equal((await counters.hit('a', HOUR_MS)).current, 0, 'by the fallback')
  await server.start()
  t.ok((await countByRedis()) > 0)
})

t.test(
  'Redis counters: a window is never longer than it should be, whatever its clock did',
  { skip: skipShared },
  async (t) => {
    const key = randomUUID()
    const redis = await openPatientRedis(t, SHARED_URL)
    const counters = createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 0 }))
    await redis.set(limitKey(key), '3', 'PX', HOUR_MS * 2)
    await until('for an answer of Redis', async () => {
      const { current, ttlMs } = await counters.hit(key, HOUR_MS)
      return current > 3 && ttlMs <= HOUR_MS
    })
  },
)

t.test(
  'Redis counters: the hits of one turn share a command, and each is counted',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const redis = await openPatientRedis(t, server.url)
    const counters = createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 0 }))
    const hitAll = async () => {
      const hits = [
        counters.hit('a', HOUR_MS),
        counters.hit('b', HOUR_MS),
        counters.hit('a', HOUR_MS),
        counters.hit('a', HOUR_MS, -1),
      ]
      return (await Promise.all(hits)).map(({ current }) => current)
    }
    t.same(await hitAll(), [1, 1, 2, 1])
    await redis.call('CONFIG', 'RESETSTAT')
    t.same(await hitAll(), [2, 2, 3, 2])
    t.match(await redis.info('commandstats'), /cmdstat_evalsha:calls=1,/)
  },
)

t.test(
  'Redis counters: a hit does not wait for the answer to an earlier one',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const redis = await openPatientRedis(t, server.url)
    const admin = await openPatientRedis(t, server.url)
    const counters = createRedisCounters(redis, noFallback, createRedisBreaker({ pauseMs: 0 }))
    await counters.hit('a', HOUR_MS)
    await admin.call('CONFIG', 'RESETSTAT')
    await admin.call('CLIENT', 'PAUSE', '300')
    const hits = upTo(3).map(async (turns) => {
      for (let turn = 0; turn < 2 * turns; turn++) await endOfTurn()
      return counters.hit('a', HOUR_MS)
    })
    t.same(
      (await Promise.all(hits)).map(({ current }) => current),
      [0, 0, 0],
      'the fallback counts',
    )
    t.match(await admin.info('commandstats'), /cmdstat_evalsha:calls=3,/)
  },
)
