import { setTimeout as sleep } from 'node:timers/promises'
import { embeddedUrl } from './attach.ts'
import { FolderTaken, isGone, type Lock, takeLock } from './lock.ts'
import { findServer, stopServer } from './process.ts'
import { findOrStartServer } from './server.ts'
import { openServerSetup, type ServerSetup } from './server-setup.ts'

export type Embedded = { readonly url: string; close: () => Promise<void> }

type Log = {
  info: (fields: object, message: string) => void
  warn: (fields: object, message: string) => void
}

/** One data folder in use. A lock ends with its server; a restarted server has a new lock. */
type Watch = {
  readonly setup: ServerSetup
  readonly dataDir: string
  readonly settings: Readonly<Record<string, string>>
  readonly log: Log
  readonly signal: AbortSignal
  port: number | undefined
  lock: Lock | undefined
}

const ACQUIRE_MS = 30_000
const PAUSE_MS = 50
const RESTART_PAUSE_MS = 2000

/**
 * Starts the Postgres of one data folder, or connects to the one that runs, and keeps it running until
 * `close`. `dataDir` is absolute. `mayRelocate` is true for the default folder: its data can be moved if
 * root starts the service and the user of Postgres cannot enter it. Throws if another service uses the
 * folder.
 */
export const openEmbedded = async (options: {
  dataDir: string
  mayRelocate: boolean
  settings?: Readonly<Record<string, string>>
  log: Log
}): Promise<Embedded> => {
  const { dataDir, settings = {}, log } = options
  const setup = await openServerSetup({ ...options, sync: settings.fsync !== 'off' })
  const stop = new AbortController()
  const { signal } = stop
  const watch: Watch = { setup, dataDir, settings, log, signal, port: undefined, lock: undefined }
  watch.lock = await acquire(watch)
  const { pid, port } = watch.lock.server
  watch.port = port
  log.info({ dataDir, pid, port }, `embedded Postgres ${pid} answers on 127.0.0.1:${port}`)
  const supervision = supervise(watch)
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    stop.abort()
    closed ??= shutDown(watch, supervision)
    return closed
  }
  return { url: embeddedUrl(setup.password, port), close }
}

/** Finds or starts the server and takes its lock; tries again if the server ends in between. */
const acquire = async (watch: Watch): Promise<Lock> => {
  const { setup, dataDir, port, signal } = watch
  const begun = performance.now()
  for (;;) {
    const server = await findOrStartServer(setup, watch, signal)
    try {
      const lock = await takeLock(setup, server, dataDir)
      if (port === undefined || port === server.port) return lock
      await release(lock, setup)
    } catch (error) {
      if (!isGone(error) || performance.now() - begun > ACQUIRE_MS) {
        if (server.isOurs && !(error instanceof FolderTaken))
          await stopServer(server.pid, setup.folder)
        throw error
      }
    }
    await sleep(PAUSE_MS)
  }
}

/** Stops the server before the lock ends: a waiting service must not lock a server that is stopping. */
const release = async (lock: Lock, setup: ServerSetup): Promise<void> => {
  await stopServer(lock.server.pid, setup.folder)
  await lock.client.end()
}

/** Starts the server again on its port whenever it ends. */
const supervise = async (watch: Watch): Promise<void> => {
  const { dataDir, log, signal } = watch
  while (!signal.aborted) {
    await watch.lock?.ended
    if (signal.aborted) return
    watch.lock = undefined
    log.warn({ dataDir }, `embedded Postgres on ${dataDir} went away: starting it again`)
    watch.lock = await reacquire(watch)
    if (watch.lock) {
      const { pid, port } = watch.lock.server
      log.warn({ dataDir, pid, port }, `embedded Postgres ${pid} answers again`)
    }
  }
}

const reacquire = async (watch: Watch): Promise<Lock | undefined> => {
  const { dataDir, log, signal } = watch
  for (let pause = PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, RESTART_PAUSE_MS)) {
    try {
      return await acquire(watch)
    } catch (error) {
      if (signal.aborted) return undefined
      log.warn({ dataDir, err: error }, `embedded Postgres on ${dataDir} does not come back yet`)
    }
    await sleep(pause, undefined, { signal }).catch(() => {})
  }
  return undefined
}

const shutDown = async (watch: Watch, supervision: Promise<void>): Promise<void> => {
  if (!watch.lock) await supervision
  const lock = watch.lock ?? (await lockRunning(watch))
  if (lock) await release(lock, watch.setup)
  await supervision
}

/** Locks a running server without a lock, so that it can be stopped; undefined if another service has it. */
const lockRunning = async ({ setup, dataDir }: Watch): Promise<Lock | undefined> => {
  const server = findServer(setup.folder)
  return server && takeLock(setup, server, dataDir).catch(() => undefined)
}
