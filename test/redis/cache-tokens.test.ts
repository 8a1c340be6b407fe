import t, { type Test } from 'tap'
import { type CacheTokens, siteToken, threadToken } from '../../src/domain/cache-tokens.ts'
import { createRedisBreaker } from '../../src/redis/breaker.ts'
import { createRedisCacheTokens } from '../../src/redis/cache-tokens.ts'
import type { RedisClient } from '../../src/redis/client.ts'
import { closeRedis, createRedis } from '../../src/redis/connection.ts'
import {
  collectLog,
  openPatientRedis,
  openRedis,
  type Server,
  skipOwn,
  startServer,
  until,
  untilReady,
} from './own-server.ts'

const DISTRUST_MS = 60_000
const DAY_SECONDS = 86_400
const LONG_PAUSE_MS = 600_000

const THREAD = threadToken(1, 23)
const SITE = siteToken(1)
const BOTH = [SITE, THREAD]

let made = 0
const protocol = { newToken: () => `token ${++made}`, distrustMs: DISTRUST_MS }

const createTokens = (redis: RedisClient, { pauseMs = 20, distrustMs = DISTRUST_MS } = {}) =>
  createRedisCacheTokens(redis, createRedisBreaker({ pauseMs }), { ...protocol, distrustMs })

/** A node that sends whatever it is told to, as soon as it can. */
const openPatient = async (t: Test, server: Server) => {
  const redis = await openPatientRedis(t, server.url)
  return { redis, tokens: createTokens(redis) }
}

/** On a machine that is busy with others a healthy Redis may be late. */
const invalidateInTime = (tokens: CacheTokens, names: readonly string[]): Promise<true> =>
  until('an invalidation', async () => (await tokens.invalidate(names)) || undefined)

const findInTime = (tokens: CacheTokens, name: string): Promise<string> =>
  until(`a token for ${name}`, () => tokens.find(name))

/** A node as the service has it, with a token for the thread. */
const openNode = async (t: Test, server: Server, options = {}) => {
  const { redis } = await openRedis(t, server.url)
  const tokens = createTokens(redis, options)
  await invalidateInTime(tokens, BOTH)
  return { redis, tokens }
}

/** Whether `act` has made the node trust no token that it sees in the next `DISTRUST_MS`. */
const distrusts = async (tokens: CacheTokens, act: () => Promise<unknown>): Promise<boolean> => {
  const before = performance.now()
  await act()
  const after = performance.now()
  const trustedFrom = tokens.trustedFrom()
  return trustedFrom >= before + DISTRUST_MS && trustedFrom <= after + DISTRUST_MS
}

t.test('a cache token is the last one invalidated on any node', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const one = await openPatient(t, server)
  const other = await openPatient(t, server)
  t.equal(await one.tokens.find(THREAD), undefined)
  const seen = new Set<string>()
  for (const { tokens } of [one, other, one, other]) {
    await invalidateInTime(tokens, BOTH)
    const token = await findInTime(one.tokens, THREAD)
    t.equal(await findInTime(other.tokens, THREAD), token)
    seen.add(token)
  }
  t.equal(seen.size, 4, 'a new one every time')
  await invalidateInTime(one.tokens, [SITE])
  t.ok(seen.has(await findInTime(other.tokens, THREAD)), 'and nothing else is replaced')
})

t.test('every name has a cache token of its own', { skip: skipOwn }, async (t) => {
  const { tokens } = await openPatient(t, await startServer(t))
  const names = ['1', '2', '1:2', '12', '2:1', '1:23', '12:3']
  await invalidateInTime(tokens, names)
  const found = await Promise.all(names.map((name) => findInTime(tokens, name)))
  t.equal(new Set(found).size, names.length)
})

t.test(
  'keys of cache tokens are tagged with site and thread, and last a day',
  { skip: skipOwn },
  async (t) => {
    const { redis, tokens } = await openPatient(t, await startServer(t))
    await invalidateInTime(tokens, BOTH)
    const keys = ['{1:23}k', '{1}k', '{2:1}k', '{2}k']
    await until('four keys', async () => {
      for (const name of ['2:1', '2']) tokens.offer(name)
      return (await redis.dbsize()) >= keys.length || undefined
    })
    t.same((await redis.keys('*')).toSorted(), keys.toSorted())
    for (const key of keys) {
      const ttl = await redis.ttl(key)
      t.ok(ttl > DAY_SECONDS - 60 && ttl <= DAY_SECONDS, key)
    }
  },
)

t.test('an offer stores a cache token if there is none', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const nodes = [await openPatient(t, server), await openPatient(t, server)] as const
  const first = await until('a token', () => {
    for (const { tokens } of [...nodes, ...nodes]) tokens.offer(THREAD)
    return nodes[0].tokens.find(THREAD)
  })
  for (const { tokens } of nodes) {
    tokens.offer(THREAD)
    t.equal(await findInTime(tokens, THREAD), first, 'and never replaces one')
  }
  await invalidateInTime(nodes[0].tokens, [THREAD])
  const second = await findInTime(nodes[0].tokens, THREAD)
  nodes[1].tokens.offer(THREAD)
  t.equal(await findInTime(nodes[1].tokens, THREAD), second)
  t.not(second, first)
})

t.test('all look-ups of one turn are one Redis command', { skip: skipOwn }, async (t) => {
  const { redis, tokens } = await openPatient(t, await startServer(t))
  const names = Array.from({ length: 200 }, (_, n) => threadToken(1, n))
  await invalidateInTime(tokens, names)
  const found = await until('all answers in time', async () => {
    await redis.config('RESETSTAT')
    const found = await Promise.all([...names, ...names].map(tokens.find))
    return found.includes(undefined) ? undefined : found
  })
  const stats = await redis.info('commandstats')
  t.match(stats, /cmdstat_mget:calls=1,/)
  t.notMatch(stats, /cmdstat_get:/)
  t.equal(new Set(found).size, names.length)
  t.same(found.slice(0, 200), found.slice(200), 'each its own')
})

t.test('a look-up during a command gets a later result', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { tokens } = await openPatient(t, server)
  const other = await openPatient(t, server)
  for (let compared = 0; compared < 20; ) {
    const early = tokens.find(THREAD)
    await invalidateInTime(other.tokens, [THREAD])
    const late = await tokens.find(THREAD)
    await early
    if (late === undefined) continue
    compared += 1
    t.equal(late, await findInTime(other.tokens, THREAD))
  }
})

/** Faults that keep a healthy Redis from taking an invalidation. */
const FAULTS: Record<string, (server: Server, admin: RedisClient) => unknown> = {
  frozen: (server) => server.freeze(),
  dead: (server) => server.kill(),
  full: async (_server, admin) => {
    await admin.call('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    await admin.call('CONFIG', 'SET', 'maxmemory', '1')
  },
  'read-only': (_server, admin) => admin.call('REPLICAOF', '127.0.0.1', '1'),
}

for (const [fault, cause] of Object.entries(FAULTS)) {
  t.test(
    `a Redis that is ${fault} takes no invalidation, and the node is told`,
    { skip: skipOwn },
    async (t) => {
      const server = await startServer(t)
      const admin = await openPatientRedis(t, server.url)
      const { tokens } = await openNode(t, server)
      await cause(server, admin)
      for (let i = 0; i < 3; i++) {
        let invalidated: unknown
        const act = async () => (invalidated = await tokens.invalidate(BOTH))
        t.ok(await distrusts(tokens, act))
        t.equal(invalidated, false)
      }
    },
  )
}

t.test(
  'one failed name of two is enough for neither to count as invalidated',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const { redis, tokens } = await openPatient(t, server)
    await redis.call('ACL', 'SETUSER', 'default', 'resetkeys', '~{1}k')
    await invalidateInTime(tokens, [SITE])
    t.equal(await tokens.invalidate(BOTH), false)
    t.equal(await tokens.invalidate([THREAD]), false)
  },
)

for (const fault of ['frozen', 'dead'])
  t.test(
    `a Redis that is ${fault} gives no cache tokens, and no look-up rejects`,
    { skip: skipOwn },
    async (t) => {
      const server = await startServer(t)
      const { tokens } = await openNode(t, server)
      await FAULTS[fault]!(server, await openPatientRedis(t, server.url))
      t.ok(await distrusts(tokens, async () => t.equal(await tokens.find(THREAD), undefined)))
      for (let i = 0; i < 20; i++) {
        tokens.offer(THREAD)
        t.equal(await tokens.find(THREAD), undefined)
      }
    },
  )

t.test('a failed offer counts as a failure of Redis', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis, tokens } = await openPatient(t, server)
  const before = await until('an offer that is taken, and is no failure', async () => {
    const before = tokens.trustedFrom()
    tokens.offer(THREAD)
    await tokens.find(THREAD)
    return tokens.trustedFrom() === before ? before : undefined
  })
  await FAULTS.full!(server, redis)
  const offer = async () => {
    tokens.offer('2:1')
    await until('the distrust', async () => tokens.trustedFrom() > before || undefined)
  }
  t.ok(await distrusts(tokens, offer))
})

t.test(
  'no cache token is trusted right after the first connection',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const redis = createRedis(server.url, collectLog().log)
    t.teardown(() => closeRedis(redis))
    const tokens = createTokens(redis)
    t.ok(await distrusts(tokens, () => untilReady(redis)))
  },
)

t.test('no cache token is trusted right after a reconnect', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis, tokens } = await openNode(t, server)
  await server.kill()
  await until('the end of the connection', async () => redis.status !== 'ready' || undefined)
  let connectedAt = Number.POSITIVE_INFINITY
  redis.once('connect', () => {
    connectedAt = performance.now()
  })
  await server.start()
  await untilReady(redis)
  t.ok(tokens.trustedFrom() >= connectedAt + DISTRUST_MS)
})

t.test('no cache token is trusted right after Redis thaws', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { tokens } = await openNode(t, server)
  const before = await findInTime(tokens, THREAD)
  const begun = performance.now()
  server.freeze()
  t.equal(await tokens.find(THREAD), undefined)
  server.thaw()
  t.equal(await findInTime(tokens, THREAD), before)
  t.ok(tokens.trustedFrom() >= begun + DISTRUST_MS)
})

t.test('invalidations are tried while look-ups are skipped', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { tokens } = await openNode(t, server, { pauseMs: LONG_PAUSE_MS })
  const other = await openPatient(t, server)
  const before = await findInTime(other.tokens, THREAD)
  server.freeze()
  t.equal(await tokens.find(THREAD), undefined)
  server.thaw()
  await invalidateInTime(tokens, BOTH)
  t.not(await findInTime(other.tokens, THREAD), before)
  t.equal(await tokens.find(THREAD), undefined, 'a question is not')
})

t.test('a late invalidation brings no old cache token back', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { tokens } = await openNode(t, server)
  const other = await openPatient(t, server)
  const before = await findInTime(other.tokens, THREAD)
  server.freeze()
  t.equal(await tokens.invalidate(BOTH), false)
  const withTimeout = invalidateInTime(other.tokens, BOTH)
  server.thaw()
  await withTimeout
  const found = new Set<string>()
  for (let i = 0; i < 50; i++) found.add(await findInTime(other.tokens, THREAD))
  t.notOk(found.has(before))
})

t.test(
  'a node with a distrust time of 0 trusts cache tokens immediately',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const { tokens } = await openNode(t, server, { distrustMs: 0 })
    await server.kill()
    t.equal(await tokens.invalidate(BOTH), false)
    t.equal(tokens.trustedFrom(), 0)
  },
)

t.test('Redis: one command invalidates all tokens of a write', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis, tokens } = await openPatient(t, server)
  await invalidateInTime(tokens, BOTH)
  const before = await Promise.all(BOTH.map((name) => findInTime(tokens, name)))
  await redis.call('CONFIG', 'RESETSTAT')
  await invalidateInTime(tokens, BOTH)
  t.match(await redis.info('commandstats'), /cmdstat_evalsha:calls=1,/)
  const after = await Promise.all(BOTH.map((name) => findInTime(tokens, name)))
  for (const [n, token] of after.entries()) t.not(token, before[n])
})
