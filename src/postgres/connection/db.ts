import { CamelCasePlugin, Kysely, type KyselyPlugin, type Transaction } from 'kysely'
import pg from 'pg'
import type { Instant } from '../../domain/instant.ts'
import { parsePostgresUrl } from './address.ts'
import { type OpenClient, onDemotion, openClient } from './client.ts'
import { createDriver } from './driver.ts'
import { createPooledClients } from './pooled-client.ts'
import { COMPILING } from './prepared.ts'
import type { Tables } from './tables.ts'

/** A pool of connections, or a transaction on one of them. It is the first parameter of every query. */
export type Db = Kysely<Tables>
export type Tx = Transaction<Tables>

/**
 * A query ends within 3 s, whatever happens to Postgres: these time-outs bound the wait for a connection,
 * the statement with its waits for locks, and the wait for a Postgres that does not respond. The pool
 * discards a connection after the last of them.
 */
const CONNECT_TIMEOUT_MS = 2_500
const STATEMENT_TIMEOUT_MS = 2_500
const LOCK_TIMEOUT_MS = 2_400
const QUERY_TIMEOUT_MS = 2_800
const IDLE_TIMEOUT_MS = 60_000
const IDLE_IN_TRANSACTION_MS = 5_000

export type PoolFigures = { total: number; idle: number; waiting: number }
export type OpenDb = { db: Db; figures: () => PoolFigures; close: () => Promise<void> }

/** Creates a pool. The first query opens the first connection. */
export const createDb = (options: {
  url: string
  max: number
  onError: (error: Error) => void
  /** Called once, when a pooler turns out not to keep prepared statements. */
  onUnprepared?: () => void
  /** Called for each statement that finds the disk of Postgres full. */
  onDiskFull?: () => void
}): OpenDb => {
  const address = parsePostgresUrl(options.url)
  /** Connections of which a pooler can give each transaction another session. */
  const shared = new WeakSet<OpenClient>()
  /** Connections to servers that accept no writes any more. */
  const demoted = new WeakSet<OpenClient>()
  const open = async (): Promise<OpenClient> => {
    const client = await openClient(address, { timeoutMs: CONNECT_TIMEOUT_MS, config: CLIENT })
    onDemotion(client, address, () => demoted.add(client))
    try {
      if (!(await setUpSession(client))) shared.add(client)
      return client
    } catch (error) {
      client.connection.stream.destroy()
      throw error
    }
  }
  const pool = new pg.Pool({
    max: options.max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    Client: createPooledClients(open) as never,
  })
  pool.on('error', options.onError)
  // Without a listener, losing a connection between two queries of a transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<Tables>({
    dialect: {
      ...COMPILING,
      createDriver: () =>
        createDriver(pool, {
          settingsOf: (client) => (shared.has(client) ? TRANSACTION_SETTINGS : undefined),
          isDemoted: (client) => demoted.has(client),
          onUnprepared: options.onUnprepared ?? (() => {}),
          onDiskFull: options.onDiskFull ?? (() => {}),
        }),
    },
    plugins: [snakeCaseStatements],
  })
  return {
    db,
    figures: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  }
}

const CLIENT = {
  query_timeout: QUERY_TIMEOUT_MS,
  keepAlive: true,
  pipeline: true,
  types: {
    getTypeParser: ((oid, format) =>
      PARSERS[oid] ??
      pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
  },
}

const camelCase = new CamelCasePlugin()

/** Translates camelCase names of queries to snake_case. The driver names the columns of results. */
const snakeCaseStatements: KyselyPlugin = {
  transformQuery: (query) => camelCase.transformQuery(query),
  transformResult: async ({ result }) => result,
}

const SETTINGS = {
  statement_timeout: STATEMENT_TIMEOUT_MS,
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
  timezone: 'UTC',
  datestyle: 'ISO, MDY',
}

const TRANSACTION_SETTINGS = Object.entries(SETTINGS)
  .map(([name, value]) => `set local ${name} = '${value}'`)
  .join('; ')

const SESSION_SETTINGS = Object.entries(SETTINGS)
  .map(([name, value]) => `('${name}', '${value}')`)
  .join(', ')

/**
 * Sets the session with one statement, because a pooler can refuse start-up options. A pooler has process numbers of
 * its own, and can give each transaction another session: then the session stays as it is, for its other users, and
 * each transaction has the settings.
 * @returns whether the session belongs to the client
 */
const setUpSession = async (client: OpenClient): Promise<boolean> => {
  const { rows } = await client.query(`
    select set_config(name, value, false) from (values ${SESSION_SETTINGS}) settings (name, value)
    where pg_backend_pid() = ${client.processID ?? 0}`)
  return rows.length > 0
}

const { INT8, TIMESTAMPTZ } = pg.types.builtins

/**
 * Converts a time of a session in UTC, `2026-11-23 09:30:00.12+00`, to an Instant by slicing. Converting
 * through a Date would take a fifth of the time that this process spends on a page.
 */
const toInstant = (text: string): Instant => {
  const milliseconds = text.length - UTC_END
  if (text[10] !== ' ' || milliseconds > 3 || !text.endsWith('+00')) return toDistantInstant(text)
  const fraction = milliseconds < 1 ? '000' : text.slice(20, -3).padEnd(3, '0')
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`
}

/** The length of a time without its fraction but with the point before it. */
const UTC_END = '2026-11-23 09:30:00.+00'.length

/** Converts times with microseconds or of another zone, and years before 1 or after 9999, which have another form. */
const toDistantInstant = (text: string): Instant =>
  (pg.types.getTypeParser(TIMESTAMPTZ, 'text')(text) as Date).toISOString()

/** The type of arrays of times, which the driver does not name. */
const TIMESTAMPTZ_ARRAY = 1185

const toInstants = (text: string): (Instant | null)[] =>
  text === '{}'
    ? []
    : text
        .slice(1, -1)
        .split(',')
        .map((item) => (item === 'NULL' ? null : toInstant(item.replaceAll('"', ''))))

/** Ids and versions stay below 2^53, so a bigint becomes a number. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  [INT8]: Number,
  [TIMESTAMPTZ]: toInstant,
  [TIMESTAMPTZ_ARRAY]: toInstants,
}
