import pg from 'pg'
import type { Server } from './process.ts'
import type { ServerSetup } from './server-setup.ts'

/** A lock that only the service has that uses the server. */
export type Lock = {
  readonly server: Server
  readonly client: pg.Client
  /** Settles when the connection ends, and the lock with it. */
  readonly ended: Promise<void>
}

/** Any constant: no other program takes advisory locks in the database `postgres`. */
const LOCK_KEY = 2_718_281_828
/** Covers the time until kernel and server end the lock of a service that was killed. */
const LOCK_WAIT_MS = 1000
const CONNECT_MS = 5000

const LOCK_NOT_AVAILABLE = '55P03'
const INVALID_PASSWORD = '28P01'
/** Refused, reset, shut down, crashed, starting up. */
const GONE: ReadonlySet<unknown> = new Set(
  'ECONNREFUSED ECONNRESET EPIPE 57P01 57P02 57P03'.split(' '),
)

/** Thrown if another service has the lock of this folder. */
export class FolderTaken extends Error {}

/** Takes the lock of a server and makes sure that its database `afterword` exists. */
export const takeLock = async (
  setup: ServerSetup,
  server: Server,
  dataDir: string,
): Promise<Lock> => {
  const client = createClient(setup, server)
  const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(`set lock_timeout = ${LOCK_WAIT_MS}`)
    await client.query('select pg_advisory_lock($1)', [LOCK_KEY])
    await ensureDatabase(client)
    return { server, client, ended }
  } catch (error) {
    client.end().catch(() => {})
    throw explain(error, setup, dataDir)
  }
}

/** True if the error shows that the server ended, so that it can be found or started again. */
export const isGone = (error: unknown): boolean => {
  const { code, message } = error as { code?: unknown; message?: string }
  return GONE.has(code) || /terminated|timeout expired/.test(message ?? '')
}

const createClient = (setup: ServerSetup, server: Server): pg.Client =>
  new pg.Client({
    host: '127.0.0.1',
    port: server.port,
    user: 'afterword',
    password: setup.password,
    database: 'postgres',
    ssl: false,
    application_name: 'afterword lock',
    connectionTimeoutMillis: CONNECT_MS,
  })

const ensureDatabase = async (client: pg.Client): Promise<void> => {
  const found = await client.query("select from pg_database where datname = 'afterword'")
  if (found.rowCount === 0) await client.query('create database afterword')
}

const explain = (error: unknown, setup: ServerSetup, dataDir: string): unknown => {
  const code = (error as { code?: unknown }).code
  if (code === LOCK_NOT_AVAILABLE) {
    return new FolderTaken(`another Afterword already runs on ${dataDir}`, { cause: error })
  }
  if (code !== INVALID_PASSWORD) return error
  const message = `${setup.passwordFile} does not open the data in ${setup.folder}: bring the file back`
  return new Error(message, { cause: error })
}
