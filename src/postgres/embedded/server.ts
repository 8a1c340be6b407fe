import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { clearStalePid, findServer, type Server, stopServer } from './process.ts'
import { SERVER_ENV, type ServerSetup } from './server-setup.ts'

export type ServerOptions = {
  /** Undefined takes any free port. */
  readonly port: number | undefined
  readonly settings: Readonly<Record<string, string>>
}

type Attempt = { readonly child: ChildProcess; failure: (() => string) | undefined }

const POLL_MS = 10
const BACKOFF_MS = 500
/** The backends of a killed server refuse a new server until they end. */
const REFUSED_MS = 20_000
/** After a crash, Postgres replays its log before it accepts connections. */
const START_MS = 300_000

/** Failures that end by themselves: old backends, another starting server, a port that was just taken. */
const TRANSIENT =
  /pre-existing shared memory block|postmaster\.pid" (already|is empty)|create any TCP\/IP/

/** Listens on loopback only. The log contains no statements and no values of rows. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_parallel_workers_per_gather: '0',
  log_min_messages: 'warning',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
}

/**
 * Finds the running server of this data folder, or starts one, which is `isOurs`, and waits until it is
 * ready. Throws with the end of the server's log if the server cannot start.
 */
export const findOrStartServer = async (
  setup: ServerSetup,
  options: ServerOptions,
  signal: AbortSignal,
): Promise<Server & { isOurs: boolean }> => {
  const begun = performance.now()
  let attempt: Attempt | undefined
  for (let pause = POLL_MS; performance.now() - begun < START_MS; await sleep(pause)) {
    if (signal.aborted) return await abandon(attempt, setup.folder, signal)
    const server = findServer(setup.folder)
    if (server?.status === 'ready') {
      return { ...server, isOurs: server.pid === attempt?.child.pid }
    }
    if (attempt?.failure) {
      assertTransient(attempt.failure(), setup, begun)
      attempt = undefined
      pause = Math.min(pause * 2, BACKOFF_MS)
    } else if (!server && !attempt) attempt = await launch(setup, options)
  }
  throw new Error(`Postgres on ${setup.folder} is not ready after ${START_MS} ms`)
}

const abandon = async (
  attempt: Attempt | undefined,
  folder: string,
  signal: AbortSignal,
): Promise<never> => {
  if (attempt?.child.pid) await stopServer(attempt.child.pid, folder)
  throw signal.reason
}

const assertTransient = (failure: string, setup: ServerSetup, begun: number): void => {
  if (TRANSIENT.test(failure) && performance.now() - begun < REFUSED_MS) return
  throw new Error(`Postgres on ${setup.folder} does not start (see ${setup.logFile}): ${failure}`)
}

const launch = async (setup: ServerSetup, options: ServerOptions): Promise<Attempt> => {
  clearStalePid(setup.folder)
  const port = options.port ?? (await findFreePort())
  const args = ['-D', setup.folder, '-p', String(port)]
  for (const [name, value] of Object.entries({ ...SETTINGS, ...options.settings })) {
    args.push('-c', `${name}=${value}`)
  }
  return spawnServer(setup, args)
}

const findFreePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })

/** Starts the server in its own session; otherwise Ctrl-C would stop it before the service has drained. */
const spawnServer = (setup: ServerSetup, args: string[]): Attempt => {
  const log = openSync(setup.logFile, 'a', 0o600)
  const from = statSync(setup.logFile).size
  const child = spawn(join(setup.binaries, 'bin', 'postgres'), args, {
    ...setup.user,
    cwd: setup.folder,
    env: SERVER_ENV,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  child.unref()
  return watchAttempt(child, () =>
    readFileSync(setup.logFile).subarray(from).toString('utf8').slice(-2000).trim(),
  )
}

/** Reads the log on demand: a server that ends much later can leave none. */
const watchAttempt = (child: ChildProcess, readLog: () => string): Attempt => {
  const attempt: Attempt = { child, failure: undefined }
  child.once('error', ({ message }) => {
    attempt.failure = () => message
  })
  child.once('exit', () => {
    attempt.failure = readLog
  })
  return attempt
}
