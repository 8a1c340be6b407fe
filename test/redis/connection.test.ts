import t from 'tap'
import { createRedisBreaker } from '../../src/redis/breaker.ts'
import { isCluster, isReady } from '../../src/redis/client.ts'
import { closeRedis, createRedis } from '../../src/redis/connection.ts'
import { collectLog, openRedis, skipOwn, startServer, until, untilSaid } from './own-server.ts'

const LONG_PAUSE_MS = 600_000

const failing = async (): Promise<never> => {
  throw new Error('refused')
}

t.test('a Redis command fails immediately while Redis is away, and none queue', async (t) => {
  const redis = createRedis('redis://127.0.0.1:1', collectLog().log)
  t.teardown(() => closeRedis(redis))
  await t.rejects(redis.get('a'), /writeable/)
})

t.test(
  'closing a Redis connection never rejects, and ends it for good',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const { redis } = await openRedis(t, server.url)
    server.freeze()
    await closeRedis(redis)
    await until('the connection to end', async () => redis.status === 'end' || undefined)
    server.thaw()
    await t.rejects(redis.ping(), /closed/)
  },
)

t.test(
  'the log says once that Redis is away and once that it is back',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const { redis, lines } = await openRedis(t, server.url)
    await server.kill()
    await until('the away line', async () => lines.at(0))
    for (let i = 0; i < 20; i++) await redis.ping().catch(() => {})
    await server.start()
    await until('the back line', async () => lines.at(1))
    t.match(lines, [
      { level: 40, msg: `redis 127.0.0.1:${server.port} is away: connection closed` },
      { level: 30, msg: `redis 127.0.0.1:${server.port} is back` },
    ])
    t.equal(lines.length, 2)
    t.equal(await redis.ping(), 'PONG')
  },
)

t.test('a frozen Redis is noticed, and used again after it thaws', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis, lines } = await openRedis(t, server.url)
  server.freeze()
  await t.rejects(redis.ping(), /timed out/)
  await until('the away line', async () => lines.at(0))
  server.thaw()
  await until('the back line', async () => lines.at(1))
  t.equal(await until('an answer', () => redis.ping().catch(() => undefined)), 'PONG')
})

t.test(
  'trouble is reported when Redis goes away, and before its first result when it is back',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const { redis, troubles } = await openRedis(t, server.url)
    t.notOk(isCluster(redis))
    t.ok(isReady(redis))
    const first = troubles.count
    t.ok(first > 0, 'of the first connection too')
    await untilSaid('an answer', () => redis.ping())
    t.equal(troubles.count, first)
    await server.kill()
    await until('the end', async () => !isReady(redis) || undefined)
    await t.rejects(redis.ping())
    t.ok(troubles.count > first)
    const before = troubles.count
    await server.start()
    await untilSaid('an answer', () => redis.ping())
    t.ok(troubles.count > before)
  },
)

t.test(
  'the password is not logged, not even where Redis quotes it',
  { skip: skipOwn },
  async (t) => {
    const renamed = ['HELLO', 'AUTH'].flatMap((name) => ['--rename-command', name, ''])
    const server = await startServer(t, renamed)
    const { log, lines } = collectLog()
    const redis = createRedis(server.url.replace('//', '//:secret-word@'), log)
    t.teardown(() => closeRedis(redis))
    const quoting = Promise.withResolvers<void>()
    redis.on('error', ({ message }) => message.includes('secret-word') && quoting.resolve())
    await quoting.promise
    t.match(lines, [{ level: 40 }])
    t.notMatch(JSON.stringify(lines), 'secret-word')
  },
)

t.test(
  'a frozen Redis costs one late command, then it is skipped',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const { redis } = await openRedis(t, server.url)
    const breaker = createRedisBreaker({ pauseMs: LONG_PAUSE_MS })
    let attempts = 0
    const ask = () => breaker(() => redis.ping(`${++attempts}`))
    t.equal(await ask(), '1')
    server.freeze()
    t.equal(await ask(), undefined, 'late')
    for (let i = 0; i < 100; i++) t.equal(await ask(), undefined, 'skipped')
    t.equal(attempts, 2)
  },
)

t.test('Redis is used again after a restart', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis } = await openRedis(t, server.url)
  const breaker = createRedisBreaker({ pauseMs: 20 })
  await server.kill()
  t.equal(await breaker(() => redis.ping()), undefined)
  await server.start()
  t.equal(await until('an answer', () => breaker(() => redis.ping())), 'PONG')
})

t.test('after the pause one attempt tries for all, and success ends the pause', async (t) => {
  const breaker = createRedisBreaker({ pauseMs: 200 })
  const trial = Promise.withResolvers<string>()
  await breaker(failing)
  const answers = await until('an attempt after the pause', async () => {
    let made = false
    const probe = breaker(() => {
      made = true
      return trial.promise
    })
    return made ? { probe, other: breaker(async () => 'other') } : undefined
  })
  t.equal(await answers.other, undefined, 'while the attempt is under way')
  trial.resolve('yes')
  t.equal(await answers.probe, 'yes')
  t.equal(await breaker(async () => 'all'), 'all')
})

t.test('a success that began before the failure does not end the pause', async (t) => {
  const breaker = createRedisBreaker({ pauseMs: LONG_PAUSE_MS })
  const slow = Promise.withResolvers<string>()
  const early = breaker(() => slow.promise)
  await breaker(failing)
  slow.resolve('late news')
  t.equal(await early, 'late news')
  t.equal(await breaker(async () => 'now'), undefined)
})

t.test('an attempt that throws before it asks counts as failed', async (t) => {
  const breaker = createRedisBreaker({ pauseMs: LONG_PAUSE_MS })
  const throwing = (): Promise<never> => {
    throw new Error('at once')
  }
  t.equal(await breaker(throwing), undefined)
  t.equal(await breaker(async () => 'now'), undefined)
})

t.test('a node that is away begins no pause, and ends none', async (t) => {
  const breaker = createRedisBreaker({ pauseMs: 50 })
  const away = async (): Promise<never> => {
    throw new Error('Connection is closed.')
  }
  t.equal(await breaker(away), undefined)
  t.equal(await breaker(async () => 'another node'), 'another node')
  await breaker(failing)
  const tried = await until('an attempt after the pause', async () => {
    let made = false
    await breaker(() => {
      made = true
      return away()
    })
    return made || undefined
  })
  t.ok(tried)
  const trial = Promise.withResolvers<string>()
  const probe = breaker(() => trial.promise)
  t.equal(await breaker(async () => 'other'), undefined, 'one attempt tries for all')
  trial.resolve('yes')
  t.equal(await probe, 'yes', 'and it may at once')
})
