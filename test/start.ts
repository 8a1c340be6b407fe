import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findServer, stopServer } from '../src/postgres/embedded/process.ts'

const ROOT = join(import.meta.dirname, '..')
const MAIN = join(ROOT, 'src/main.ts')
/** A busy machine takes half a minute for what takes seconds elsewhere. */
const PATIENCE_MS = 90_000
const STOP_MS = 20_000

type Teardown = { teardown: (callback: () => unknown) => void }
type Env = Readonly<Record<string, string>>

/** A process of the service, seen from outside. */
export type Started = {
  readonly child: ChildProcess
  /** Its log. */
  readonly out: () => string
  readonly err: () => string
  /** Resolves with the address as soon as the service listens. It may not be ready yet. */
  readonly listening: () => Promise<string>
  /** Resolves with the address as soon as the service is ready. */
  readonly ready: () => Promise<string>
  /** Sends the signal and waits for the end. @returns the exit code */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>
  readonly ended: () => Promise<number | null>
}

/** A folder that the user of Postgres may enter, gone after the test with any server on it. */
export const createDataDir = (t: Teardown): string => {
  const folder = mkdtempSync(join(tmpdir(), 'afterword-start-'))
  chmodSync(folder, 0o755)
  const dataDir = join(folder, 'data')
  t.teardown(async () => {
    await stopPostgres(dataDir)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  return dataDir
}

export const findPostgres = (dataDir: string) => findServer(join(dataDir, 'postgres'))

const stopPostgres = async (dataDir: string): Promise<void> => {
  const server = findPostgres(dataDir)
  if (server) await stopServer(server.pid, join(dataDir, 'postgres'))
}

/** Starts `node src/main.ts`, or another command, with these settings and no others. */
export const start = (
  t: Teardown,
  settings: Env,
  [command, ...args]: [string, ...string[]] = [process.execPath, MAIN],
): Started => {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ...settings }
  const child = spawn(command, args, { cwd: ROOT, env, detached: true })
  const exit = once(child, 'close').then(([code]) => code as number | null)
  const texts = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    texts.out += data
  })
  child.stderr.on('data', (data) => {
    texts.err += data
  })
  const started: Started = {
    child,
    out: () => texts.out,
    err: () => texts.err,
    listening: () => untilListening(started),
    ready: () => untilReady(started),
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return started.ended()
    },
    ended: () => within(STOP_MS, 'for the process to end', exit),
  }
  t.teardown(() => end(child, exit))
  return started
}

export const findFreePort = async (): Promise<number> => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** @throws Error that says what was waited for in vain */
export const until = async <T>(
  what: string,
  find: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<NonNullable<T>> => {
  for (const begun = Date.now(); Date.now() - begun < patienceMs; await sleep(20)) {
    const found = await find()
    if (found) return found
  }
  throw new Error(`waited ${patienceMs} ms in vain ${what}`)
}

const untilListening = (started: Started): Promise<string> =>
  until('for the service to listen', () => {
    assertAlive(started)
    return /listening at (http:\/\/[^"]+)"/.exec(started.out())?.[1]
  })

const untilReady = async (started: Started): Promise<string> => {
  const url = await untilListening(started)
  await until('for the service to be ready', async () => {
    assertAlive(started)
    return (await fetch(`${url}/readyz`)).ok
  })
  // The key that a first start makes is printed right after the service has become ready.
  await until('for the last line of the start', () => /answers at http/.test(started.out()))
  return url
}

const assertAlive = ({ child, out, err }: Started): void => {
  if (child.exitCode !== null || child.signalCode !== null)
    throw new Error(`the service has ended: ${err()}${out()}`)
}

const within = async <T>(patienceMs: number, what: string, promise: Promise<T>): Promise<T> => {
  const late = sleep(patienceMs, undefined, { ref: false }).then(() => {
    throw new Error(`waited ${patienceMs} ms in vain ${what}`)
  })
  return Promise.race([promise, late])
}

/** The whole group, so that nothing of a shell or of npm is left. */
const end = async (child: ChildProcess, exit: Promise<unknown>): Promise<void> => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
  await exit
}
