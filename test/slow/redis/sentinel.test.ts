import t, { type Test } from 'tap'
import { isReady, type RedisClient } from '../../../src/redis/client.ts'
import { closeRedis, createRedis } from '../../../src/redis/connection.ts'
import { MASTER, sentinelUrlOf, startSentinel, startSentinels } from '../../redis/own-sentinel.ts'
import { collectLog, openRedis, skipOwn, startServer, until } from '../../redis/own-server.ts'

/** Undefined while no sentinel responds. */
const portOf = async (redis: RedisClient): Promise<number | undefined> => {
  const info = await redis.info('server').catch(() => '')
  return Number(/^tcp_port:(\d+)/m.exec(info)?.[1]) || undefined
}

/** Waits for the line that tells why redis is away. */
const reasonFor = async (t: Test, url: string) => {
  const { log, lines } = collectLog()
  const redis = createRedis(url, log)
  t.teardown(() => closeRedis(redis))
  await t.rejects(redis.get('a'), /writeable/)
  t.notOk(isReady(redis))
  const { msg } = await until('the away line', async () => lines.at(0))
  return msg
}

t.test('a new master named by the sentinels is used immediately', { skip: skipOwn }, async (t) => {
  const { url, master, replica, sentinels } = await startSentinels(t, 3)
  const { redis, lines, troubles } = await openRedis(t, url)
  t.equal(await portOf(redis), master.port)
  await redis.set('a', 'old')
  const before = troubles.count
  await until('a failover', () =>
    sentinels[0]!.admin.call('SENTINEL', 'FAILOVER', MASTER).catch(() => undefined),
  )
  await until('the other one', async () => (await portOf(redis)) === replica.port || undefined)
  t.ok(troubles.count > before)
  t.match(await master.admin.role(), ['master'], 'while the one before still believes that it is')
  await master.admin.set('a', 'lost')
  await replica.admin.set('a', 'new')
  t.equal(await until('an answer', () => redis.get('a').catch(() => undefined)), 'new')
  const told = lines.map(({ level, msg }) => [level, msg.replace(/.* is /, '')])
  t.same(
    told,
    told.map((_, i) => (i % 2 ? [30, 'back'] : [40, 'away: connection closed'])),
  )
  t.equal(lines.length % 2, 0)
})

t.test(
  'the successor of a killed master is found through the sentinels',
  { skip: skipOwn },
  async (t) => {
    const { url, master, replica } = await startSentinels(t, 1)
    // No sentinel responds here, so the client asks the next one.
    const hosts = url.replace('redis+sentinel://', '127.0.0.1:1,')
    const { redis, lines, troubles } = await openRedis(t, `redis+sentinel://${hosts}`)
    await master.kill()
    await until('the away line', async () => lines.at(0))
    t.notOk(isReady(redis))
    await t.rejects(redis.get('a'), /writeable/, 'at once')
    const before = troubles.count
    await until('the other one', async () => (await portOf(redis)) === replica.port || undefined)
    t.ok(troubles.count > before)
    t.equal(await until('a write', () => redis.set('a', 1).catch(() => undefined)), 'OK')
    const label = `${MASTER} of ${hosts.replace(`/${MASTER}`, '')}`
    t.match(lines, [
      { level: 40, msg: `redis ${label} is away: connection closed` },
      { level: 30, msg: `redis ${label} is back` },
    ])
  },
)

t.test(
  'a master that became a replica is left at the first write',
  { skip: skipOwn },
  async (t) => {
    const [master, other] = await Promise.all([startServer(t), startServer(t)])
    const sentinel = await startSentinel(t, master.port)
    const { redis, troubles } = await openRedis(t, sentinelUrlOf([sentinel]))
    await sentinel.kill()
    const admin = (await openRedis(t, master.url)).redis
    await admin.call('REPLICAOF', '127.0.0.1', `${other.port}`)
    const before = troubles.count
    await t.rejects(redis.set('a', 1), /READONLY/)
    await until('the loss', async () => !isReady(redis) || undefined)
    t.ok(troubles.count > before)
  },
)

t.test('the log says why the sentinels give no master', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const sentinel = await startSentinel(t, server.port)
  const url = sentinelUrlOf([sentinel])
  t.match(await reasonFor(t, url.replace(MASTER, 'other')), /no sentinel knows the master$/)
  await sentinel.kill()
  t.match(await reasonFor(t, url), /no sentinel answers$/)
})

t.test(
  'a password opens Redis, and the sentinels if they have one',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t, ['--requirepass', 'secret-word'])
    const settings = [`sentinel auth-pass ${MASTER} secret-word`]
    const open = await startSentinel(t, server.port, settings)
    const closed = await startSentinel(t, server.port, [...settings, 'requirepass secret-word'])
    for (const sentinel of [open, closed]) {
      const { redis } = await openRedis(t, sentinelUrlOf([sentinel], ':secret-word@'))
      t.equal(await portOf(redis), server.port)
    }
    t.match(
      await reasonFor(t, sentinelUrlOf([closed], ':other-secret@')),
      /no sentinel answers: WRONGPASS$/,
    )
  },
)

t.test(
  'the password is not logged, not even where a sentinel quotes it',
  { skip: skipOwn },
  async (t) => {
    // A server that is no sentinel says the same of a HELLO that it does not know.
    const renamed = ['HELLO', 'AUTH'].flatMap((name) => ['--rename-command', name, ''])
    const server = await startServer(t, renamed)
    const said = await reasonFor(t, sentinelUrlOf([server], ':secret-word@'))
    t.match(said, /is away: no sentinel answers: ERR$/)
  },
)
