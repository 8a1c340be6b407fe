import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { isReady, type RedisClient } from '../../src/redis/client.ts'
import { closeRedis, createRedis, onPossibleFailover } from '../../src/redis/connection.ts'

export type Test = { teardown: (end: () => unknown) => unknown }
type Line = { level: number; msg: string }

const WAIT_MS = 10_000

/** False, or why a test that shares the common Redis is skipped. */
export const skipShared = process.env.TEST_REDIS_URL
  ? false
  : 'TEST_REDIS_URL is unset: no Redis to test against'

/** False, or why a test that freezes, kills and restarts a Redis of its own is skipped. */
export const skipOwn =
  spawnSync('redis-server', ['--version']).error === undefined
    ? false
    : 'no redis-server on the PATH: no Redis to freeze or kill'

/** Waits until `holds` gives something; gives up after 10 s and says what it waited for. */
export const until = async <T>(what: string, holds: () => Promise<T | undefined>): Promise<T> => {
  const giveUpAt = performance.now() + WAIT_MS
  for (;;) {
    const held = await holds()
    if (held !== undefined) return held
    if (performance.now() > giveUpAt) throw new Error(`waited ${WAIT_MS} ms for ${what}`)
    await sleep(10)
  }
}

/** Waits for an answer, which may be null; until then there may be nothing but errors. */
export const untilSaid = async <T>(what: string, ask: () => Promise<T>): Promise<T> => {
  const { answer } = await until(what, () =>
    ask().then(
      (answer) => ({ answer }),
      () => undefined,
    ),
  )
  return answer
}

/** A connected Redis of the service's kind, its end with the test, and what it says from now on. */
export const openRedis = async (t: Test, url: string) => {
  const { log, lines } = collectLog()
  const redis = createRedis(url, log)
  const troubles = { count: 0 }
  onPossibleFailover(redis, () => {
    troubles.count += 1
  })
  t.teardown(() => closeRedis(redis))
  await untilReady(redis)
  // On a busy machine the first try may have been late.
  lines.length = 0
  return { redis, lines, troubles }
}

/** Like `openRedis`, but patient: for tests of exactness on a machine that is busy with others. */
export const openPatientRedis = async (t: Test, url: string): Promise<Redis> => {
  const redis = new Redis(url, { disconnectTimeout: 50 })
  // It may be killed.
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  await untilReady(redis)
  return redis
}

export const collectLog = () => {
  const lines: Line[] = []
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) })
  return { log, lines }
}

export const untilReady = (redis: RedisClient): Promise<true> =>
  until('redis to be ready', async () => isReady(redis) || undefined)

type Place = { readonly port: number; readonly folder: string }

/** A redis-server of this test alone, on a free port, ended by its process id. */
export const startServer = (t: Test, settings: readonly string[] = []) =>
  startProcess(t, ({ port, folder }) => {
    const place = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder]
    return [...place, '--save', '', ...settings]
  })

/** The same with other arguments. */
export const startProcess = async (t: Test, argumentsAt: (place: Place) => readonly string[]) => {
  const port = await findFreePort()
  const folder = mkdtempSync(join(tmpdir(), 'afterword-redis-'))
  const settings = argumentsAt({ port, folder })
  let server: ChildProcess
  const start = async () => {
    server = spawn('redis-server', settings, { stdio: 'ignore' })
    await until(`redis-server on port ${port}`, () => answers(port))
  }
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill('SIGKILL')
    await gone
  }
  t.teardown(async () => {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await start()
  const freeze = () => server.kill('SIGSTOP')
  const thaw = () => server.kill('SIGCONT')
  return { url: `redis://127.0.0.1:${port}`, port, start, kill, freeze, thaw }
}

export type Server = Awaited<ReturnType<typeof startServer>>

/** Below the ports that the system gives away, so that no other process gets this one before it is used. */
const PORTS = { first: 10_240, count: 20_000 }

export const findFreePort = async (): Promise<number> => {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count)
    const listener = createServer().listen(port, '127.0.0.1')
    const isFree = await once(listener, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    listener.close()
    await once(listener, 'close')
    return port
  }
}

const answers = (port: number): Promise<true | undefined> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => socket.destroy() && resolve(true))
    socket.once('error', () => resolve(undefined))
  })
