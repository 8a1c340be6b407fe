import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Home, SERVER_ENV } from './folder.ts'
import { clearStalePid, findServer, type Server, stopServer } from './process.ts'

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
  home: Home,
  options: ServerOptions,
  signal: AbortSignal,
): Promise<Server & { isOurs: boolean }> => {
  const begun = Date.now()
  let attempt: Attempt | undefined
  for (let pause = POLL_MS; Date.now() - begun < START_MS; await sleep(pause)) {
    if (signal.aborted) return await abandon(attempt, home.folder, signal)
    const server = findServer(home.folder)
    if (server?.status === 'ready') {
      return { ...server, isOurs: server.pid === attempt?.child.pid }
    }
    if (attempt?.failure) {
      assertTransient(attempt.failure(), home, begun)
      attempt = undefined
      pause = Math.min(pause * 2, BACKOFF_MS)
    } else if (!server && !attempt) attempt = await launch(home, options)
  }
  throw new Error(`Postgres on ${home.folder} is not ready after ${START_MS} ms`)
}

const abandon = async (
  attempt: Attempt | undefined,
  folder: string,
  signal: AbortSignal,
): Promise<never> => {
  if (attempt?.child.pid) await stopServer(attempt.child.pid, folder)
  throw signal.reason
}

const assertTransient = (failure: string, home: Home, begun: number): void => {
  if (TRANSIENT.test(failure) && Date.now() - begun < REFUSED_MS) return
  throw new Error(`Postgres on ${home.folder} does not start (see ${home.logFile}): ${failure}`)
}

const launch = async (home: Home, options: ServerOptions): Promise<Attempt> => {
  clearStalePid(home.folder)
  const port = options.port ?? (await findFreePort())
  const args = ['-D', home.folder, '-p', String(port)]
  for (const [name, value] of Object.entries({ ...SETTINGS, ...options.settings })) {
    args.push('-c', `${name}=${value}`)
  }
  return spawnServer(home, args)
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
const spawnServer = (home: Home, args: string[]): Attempt => {
  const log = openSync(home.logFile, 'a', 0o600)
  const from = statSync(home.logFile).size
  const child = spawn(join(home.binaries, 'bin', 'postgres'), args, {
    ...home.user,
    cwd: home.folder,
    env: SERVER_ENV,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  child.unref()
  return watchAttempt(child, () =>
    readFileSync(home.logFile).subarray(from).toString('utf8').slice(-2000).trim(),
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
