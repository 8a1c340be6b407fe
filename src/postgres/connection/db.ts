import {
  CamelCasePlugin,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type Transaction,
} from 'kysely'
import pg from 'pg'
import type { Tables } from './tables.ts'

/** A pool, or a transaction on one connection of it: what every query takes first. */
export type Db = Kysely<Tables>
export type Tx = Transaction<Tables>

/**
 * Whatever happens to Postgres, a caller has an answer after 3 s. A caller waits so long for a
 * connection; a statement takes so long, its waiting for others included; and when not even
 * Postgres answers, the connection is thrown away.
 */
const CONNECT_TIMEOUT_MS = 2_500
const STATEMENT_TIMEOUT_MS = 2_500
const LOCK_TIMEOUT_MS = 2_400
const QUERY_TIMEOUT_MS = 2_800
const IDLE_TIMEOUT_MS = 60_000
const IDLE_IN_TRANSACTION_MS = 5_000

export type PoolFigures = { total: number; idle: number; waiting: number }
export type OpenDb = { db: Db; figures: () => PoolFigures; close: () => Promise<void> }

/** Opens no connection yet; the first query does. */
export const createDb = (options: {
  url: string
  max: number
  onError: (error: Error) => void
}): OpenDb => {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'afterword',
    types: { getTypeParser },
    // It is awaited, though its type does not say so.
    onConnect: setUpSession as (client: pg.ClientBase) => void,
  })
  pool.on('error', options.onError)
  // A connection that is lost between two queries of a transaction would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: discardingBroken(pool) }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  })
  return {
    db,
    figures: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  }
}

/** One statement, because a pooler in front of Postgres may refuse start-up options. */
const setUpSession = async (client: pg.ClientBase): Promise<void> => {
  await client.query(`
    set statement_timeout = ${STATEMENT_TIMEOUT_MS};
    set lock_timeout = ${LOCK_TIMEOUT_MS};
    set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS};
    set jit = off;
    set timezone = 'UTC'`)
}

/**
 * A query that timed out in the client is still running on its connection, and everything sent
 * after it would wait behind it. Such a connection answers nothing more and leaves the pool.
 */
const discardingBroken = (pool: pg.Pool): PostgresPool => ({
  options: {},
  end: () => pool.end(),
  connect: async () => {
    const client = await pool.connect()
    let broken: Error | undefined
    const query = async (text: string, values: readonly unknown[]) => {
      if (broken) throw broken
      try {
        return await client.query(text, values as unknown[])
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) broken = error as Error
        throw error
      }
    }
    return { query: query as never, release: () => client.release(broken) }
  },
})

const { INT8 } = pg.types.builtins

/** Identities and versions stay below 2^53, so bigints are numbers. */
const getTypeParser = ((oid: number, format: 'text') =>
  oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser
