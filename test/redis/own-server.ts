import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { closeRedis, createRedis } from '../../src/redis/connection.ts'

type Test = { teardown: (end: () => unknown) => unknown }
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

/** A connected Redis of the service's kind, its log lines, and its end with the test. */
export const openRedis = async (t: Test, url: string) => {
  const { log, lines } = collectLog()
  const redis = createRedis(url, log)
  t.teardown(() => closeRedis(redis))
  await untilReady(redis)
  return { redis, lines }
}

/** Like `openRedis`, but patient: for tests of exactness on a machine that is busy with others. */
export const openPatientRedis = async (t: Test, url: string): Promise<Redis> => {
  const redis = new Redis(url)
  t.teardown(() => redis.disconnect())
  await untilReady(redis)
  return redis
}

export const collectLog = () => {
  const lines: Line[] = []
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) })
  return { log, lines }
}

const untilReady = (redis: Redis): Promise<true> =>
  until('redis to be ready', async () => redis.status === 'ready' || undefined)

/** A redis-server of this test alone, on a free port, ended by its process id. */
export const startServer = async (t: Test, settings: string[] = []) => {
  const port = await findFreePort()
  const folder = mkdtempSync(join(tmpdir(), 'afterword-redis-'))
  let server: ChildProcess
  const start = async () => {
    const place = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    server = spawn('redis-server', [...place, ...settings], { stdio: 'ignore' })
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

const findFreePort = async (): Promise<number> => {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  listener.close()
  await once(listener, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const answers = (port: number): Promise<true | undefined> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => socket.destroy() && resolve(true))
    socket.once('error', () => resolve(undefined))
  })
