import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Page } from '../../../src/domain/page-store.ts'
import { createRedisBreaker } from '../../../src/redis/breaker.ts'
import { isReady } from '../../../src/redis/client.ts'
import { closeRedis, createRedis } from '../../../src/redis/connection.ts'
import { createRedisPages } from '../../../src/redis/pages.ts'
import { findThreads, startCluster } from '../../redis/own-cluster.ts'
import {
  collectLog,
  openRedis,
  skipOwn,
  startServer,
  until,
  untilSaid,
} from '../../redis/own-server.ts'

const LONG_PAUSE_MS = 600_000
const REDIS = join(import.meta.dirname, '../../../src/redis')

const PAGE: Page = { etag: '"1"', next: null, encoding: 'br', bytes: Buffer.from('page') }
const nameOf = (site: number, thread: number) => ({ site, thread, version: 1, variant: 'v' })
const keyOf = (site: number, thread: number): string => `{${site}:${thread}}k`

t.test('a cluster whose masters go away', { skip: skipOwn }, async (t) => {
  const { url, nodes } = await startCluster(t)

  t.test('a frozen master of a cluster is noticed, and used again when it thaws', async (t) => {
    const { redis, lines, troubles } = await openRedis(t, url)
    const [first, , third] = await findThreads(nodes, 5)
    const before = troubles.count
    nodes[2]!.freeze()
    await t.rejects(redis.get(keyOf(5, third)), /timed out/)
    await until('the away line', async () => lines.at(0))
    t.ok(troubles.count > before)
    await t.rejects(redis.get(keyOf(5, third)), /closed|retries/, 'at once')
    t.equal(await untilSaid('the others', () => redis.get(keyOf(5, first))), null)
    nodes[2]!.thaw()
    await until('the back line', async () => lines.at(1))
    t.equal(await untilSaid('an answer', () => redis.get(keyOf(5, third))), null)
  })

  t.test('a killed master of a cluster affects its own threads only', async (t) => {
    const { redis, lines, troubles } = await openRedis(t, url)
    const store = createRedisPages(redis, createRedisBreaker({ pauseMs: LONG_PAUSE_MS }))
    const [first, second, third] = await findThreads(nodes, 6)
    const before = troubles.count
    await nodes[2]!.kill()
    await until('the away line', async () => lines.at(0))
    t.ok(troubles.count > before)
    t.notOk(isReady(redis))
    const told = troubles.count
    let tries = 0
    redis.on('node error', () => {
      tries += 1
    })
    for (let i = 0; i < 20; i++) {
      t.equal(await store.find(nameOf(6, third), 'br'), undefined)
      await store.insert(nameOf(6, third), PAGE)
    }
    for (const thread of [first, second]) {
      await store.insert(nameOf(6, thread), PAGE)
      t.same(await store.find(nameOf(6, thread), 'br'), PAGE, 'no pause for these')
    }
    await until('more tries to reach it', async () => tries > 2 || undefined)
    t.equal(troubles.count, told, 'which are no news')

    await nodes[2]!.start()
    await until('the back line', async () => lines.at(1))
    t.ok(isReady(redis))
    t.ok(troubles.count > told)
    await until('the page of its thread', async () => {
      await store.insert(nameOf(6, third), PAGE)
      return store.find(nameOf(6, third), 'br')
    })
    const hosts = url.replace('redis+cluster://', '')
    t.match(lines, [
      { level: 40, msg: `redis ${hosts} is away: 127.0.0.1:${nodes[2]!.port}: ` },
      { level: 30, msg: `redis ${hosts} is back` },
    ])
    t.equal(lines.length, 2)
  })

  t.test('closing a cluster client ends it for good and lets the process end', async (t) => {
    const { redis } = await openRedis(t, url)
    await closeRedis(redis)
    t.notOk(isReady(redis))
    await t.rejects(redis.get('a'))
    t.equal(await runAndClose(t, { url, isReached: true }), 0)
    await nodes[1]!.kill()
    t.equal(await runAndClose(t, { url, isReached: false }), 0, 'one node away')
  })
})

t.test('no command queues for a cluster that is away, and the process can end', async (t) => {
  const url = 'redis+cluster://127.0.0.1:1,127.0.0.1:2'
  const { log, lines } = collectLog()
  const redis = createRedis(url, log)
  t.teardown(() => closeRedis(redis))
  await t.rejects(redis.get('a'), /ready/)
  await until('the away line', async () => lines.at(0))
  await t.rejects(redis.get('a'), /ready/)
  t.notOk(isReady(redis))
  t.equal(await runAndClose(t, { url, isReached: false }), 0)
})

t.test('the password of a cluster is not logged', { skip: skipOwn }, async (t) => {
  const renamed = ['HELLO', 'AUTH'].flatMap((name) => ['--rename-command', name, ''])
  const server = await startServer(t, renamed)
  const { log, lines } = collectLog()
  const redis = createRedis(`redis+cluster://:secret-word@127.0.0.1:${server.port}`, log)
  t.teardown(() => closeRedis(redis))
  const quoting = Promise.withResolvers<void>()
  redis.on('error', (error: Error & { lastNodeError?: Error }) => {
    if (error.lastNodeError?.message.includes('secret-word')) quoting.resolve()
  })
  await quoting.promise
  t.match(lines, [{ level: 40, reason: 'ERR' }])
  t.notMatch(JSON.stringify(lines), 'secret-word')
})

/** In a process of its own that ends by itself, or not. @returns the exit code */
const runAndClose = async (t: Test, { url, isReached }: { url: string; isReached: boolean }) => {
  const script = `
    import { setTimeout as sleep } from 'node:timers/promises'
    import { isReady } from ${JSON.stringify(`${REDIS}/client.ts`)}
    import { closeRedis, createRedis } from ${JSON.stringify(`${REDIS}/connection.ts`)}
    const redis = createRedis(${JSON.stringify(url)}, { info() {}, warn() {} })
    const isDone = () => ${isReached ? 'isReady(redis)' : 'redis.status !== "connecting"'}
    while (!isDone()) await sleep(10)
    await redis.get('a').catch(() => {})
    await closeRedis(redis)
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  t.teardown(() => child.kill('SIGKILL'))
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(8_000) })
  return code
}
