import { createHash } from 'node:crypto'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'
import pg from 'pg'
import type { OpenClient } from './client.ts'
import { CommitFault, isDiskFull, isReadOnly, isStatementLost, tryAgain } from './errors.ts'
import type { PooledClient } from './pooled-client.ts'

/** Statements that one write to the socket sends. Each of them sees what the ones before it did. */
export type Pipeline = {
  readonly pipeline: readonly CompiledQuery[]
  /** Whether the commit of the transaction follows in the same write. */
  readonly commits: boolean
}

const toQuery = (text: string): CompiledQuery => ({
  query: { kind: 'RawNode', sqlFragments: [text], parameters: [] },
  queryId: { queryId: text },
  sql: text,
  parameters: [],
})
export const COMMIT = toQuery('commit')
const ROLLBACK = toQuery('rollback')

type Connection = DatabaseConnection & {
  readonly begin: () => void
  readonly commit: () => Promise<void>
  readonly rollback: () => Promise<void>
  readonly release: () => void
}

export type DriverOptions = {
  /** The settings of a transaction if a pooler gives each transaction another session; else undefined. */
  readonly settingsOf: (client: OpenClient) => string | undefined
  /** Whether the server of a client accepts no writes any more. The pool then discards the client. */
  readonly isDemoted: (client: OpenClient) => boolean
  /** Called once, when a prepared statement is gone: the driver goes on without them. */
  readonly onUnprepared: () => void
  readonly onDiskFull: () => void
}

/** Runs the queries of Kysely on the connections of a pool whose clients have `pipeline: true`. */
export const createDriver = (pool: pg.Pool, options: DriverOptions): Driver => {
  const names = createNames(options.onUnprepared)
  const open = (pooled: pg.PoolClient & PooledClient) =>
    createConnection(pooled, { names, ...options })
  return {
    init: async () => {},
    acquireConnection: async () => open((await pool.connect()) as pg.PoolClient & PooledClient),
    beginTransaction: async (connection) => (connection as Connection).begin(),
    commitTransaction: (connection) => (connection as Connection).commit(),
    rollbackTransaction: (connection) => (connection as Connection).rollback(),
    releaseConnection: async (connection) => (connection as Connection).release(),
    destroy: () => pool.end(),
  }
}

type Answer = pg.QueryArrayResult<unknown[]>

/**
 * A connection of the pool, until it is released. With `settings`, each transaction begins with them, and a
 * statement outside a transaction gets one of its own, in the same write to the socket.
 */
const createConnection = (
  pooled: pg.PoolClient & PooledClient,
  {
    names,
    settingsOf,
    isDemoted,
    onDiskFull,
  }: Omit<DriverOptions, 'onUnprepared'> & { readonly names: Names },
): Connection => {
  const client = pooled.inner
  const settings = settingsOf(client)
  const begin = toQuery(settings === undefined ? 'begin' : `begin; ${settings}`)
  let broken: Error | undefined
  /** `unsent`: the first statement takes `begin` along. `ended`: a statement has taken the commit along. */
  let transaction: 'none' | 'unsent' | 'open' | 'ended' = 'none'

  const submit = ({ sql: text, parameters }: CompiledQuery) =>
    client.query<unknown[]>({
      name: names.nameOf(text, parameters),
      text,
      values: parameters as unknown[],
      rowMode: 'array',
    })

  const submitAll = (
    queries: readonly CompiledQuery[],
  ): Promise<PromiseSettledResult<Answer>[]> => {
    const { stream } = client.connection
    stream.cork()
    try {
      return Promise.allSettled(queries.map(submit))
    } finally {
      stream.uncork()
    }
  }

  /**
   * After a failed statement, Postgres refuses the statements behind it and reports a commit as a successful
   * rollback. So the first failure is the one that counts.
   */
  const sendOnce = async (queries: readonly CompiledQuery[]): Promise<Answer[]> => {
    if (broken) throw broken
    if (transaction === 'ended') throw new Error('the transaction has ended')
    const isWhole = transaction === 'none' && settings !== undefined
    const isFirst = transaction === 'unsent' || isWhole
    const commits = queries.at(-1) === COMMIT
    if (transaction !== 'none') transaction = commits ? 'ended' : 'open'
    const sent = [...(isFirst ? [begin] : []), ...queries, ...(isWhole ? [COMMIT] : [])]
    const settled = await submitAll(sent)
    const failures = settled.map((one) => (one.status === 'rejected' ? one.reason : undefined))
    broken = failures.find((failure) => failure && (isLoss(failure) || isReadOnly(failure)))
    const first = failures.findIndex((failure) => failure !== undefined)
    if (first >= 0) {
      if (isStatementLost(failures[first])) names.forget()
      if (isDiskFull(failures[first])) onDiskFull()
      const mayBeCommitted = commits && (isLoss(failures[first]) || first === failures.length - 1)
      throw mayBeCommitted ? new CommitFault(failures[first]) : failures[first]
    }
    const answers = settled.map((one) => (one as PromiseFulfilledResult<Answer>).value)
    return isFirst ? answers.slice(1, queries.length + 1) : answers
  }

  /** A statement outside a transaction has had no effect if it failed, so it can run again. */
  const sendAll = async (queries: readonly CompiledQuery[]): Promise<Answer[]> => {
    const isAlone = transaction === 'none' && (queries.length === 1 || settings !== undefined)
    const isUsable = () => broken === undefined
    return isAlone ? tryAgain(() => sendOnce(queries), isUsable) : sendOnce(queries)
  }

  const run = async (query: CompiledQuery & Partial<Pipeline>): Promise<QueryResult<unknown>> => {
    const { pipeline, commits } = query
    if (!pipeline) return toResult((await sendAll([query]))[0]!)
    const answers = await sendAll(commits ? [...pipeline, COMMIT] : pipeline)
    return { rows: pipeline.map((_, i) => toRows(answers[i]!)) }
  }

  return {
    executeQuery: run as DatabaseConnection['executeQuery'],
    streamQuery: () => {
      throw new Error('streams are not supported')
    },
    begin: () => {
      transaction = 'unsent'
    },
    commit: async () => {
      if (transaction === 'open') await sendAll([COMMIT])
      transaction = 'none'
    },
    rollback: async () => {
      const isOpen = transaction === 'open' && !broken
      transaction = 'none'
      // The pool discards a connection that cannot roll back.
      if (isOpen) await sendAll([ROLLBACK]).catch((error) => (broken ??= error))
    },
    release: () => pooled.release(broken ?? isDemoted(client)),
  }
}

/** Whether a query failed without an answer of Postgres. It may still run, and later queries would wait for it. */
const isLoss = (error: unknown): boolean => !(error instanceof pg.DatabaseError)

const CHANGES = ['INSERT', 'UPDATE', 'DELETE', 'MERGE']

const toResult = (answer: Answer): QueryResult<unknown> => ({
  rows: toRows(answer),
  ...(CHANGES.includes(answer.command) && { numAffectedRows: BigInt(answer.rowCount ?? 0) }),
})

type Row = Record<string, unknown>

/** Builds rows with camelCase names. Renaming the driver's rows would double their cost. */
const toRows = ({ rows, fields }: Answer): Row[] => {
  if (rows.length === 0) return []
  const { names, empty } = shapeOf(fields)
  return rows.map((values) => {
    const row = { ...empty }
    for (let i = 0; i < names.length; i++) row[names[i]!] = values[i]
    return row
  })
}

/** The names of the columns of a row, and a row without values. */
type Shape = { readonly names: readonly string[]; readonly empty: Row }

/** The shapes of rows, by the names of their columns in Postgres. */
const shapes = new Map<string, Shape>()

const shapeOf = (fields: readonly pg.FieldDef[]): Shape => {
  const columns = fields.map(({ name }) => name).join()
  const known = shapes.get(columns)
  if (known) return known
  const names = fields.map(({ name }) => name.replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase()))
  const shape = { names, empty: createEmpty(names) }
  if (shapes.size < MAX_PREPARED) shapes.set(columns, shape)
  return shape
}

/**
 * V8 makes an object into a hash table when many properties are added to it one by one, which takes several times the
 * memory. JSON.parse adds all properties together, and spreading copies this form.
 */
const createEmpty = (names: readonly string[]): Row =>
  JSON.parse(JSON.stringify(Object.fromEntries(names.map((name) => [name, null]))))

/** The largest number of prepared statements. Each costs memory on every connection. */
const MAX_PREPARED = 500
const NAME_LENGTH = 22

type Names = {
  readonly nameOf: (text: string, values: readonly unknown[]) => string | undefined
  /** Gives no more names. */
  readonly forget: () => void
}

/**
 * Names statements with parameters, so that Postgres prepares each once per connection: planning a page
 * costs more than reading it. A name is the hash of its text, so that a session which a pooler gives to several
 * clients never has one name for two texts. A statement without parameters, such as `begin`, has no name.
 */
const createNames = (onForgotten: () => void): Names => {
  const known = new Map<string, string>()
  let isOff = false
  return {
    nameOf: (text, values) => {
      if (values.length === 0 || isOff) return undefined
      const name = known.get(text)
      if (name !== undefined || known.size >= MAX_PREPARED) return name
      const hash = createHash('sha256').update(text).digest('base64url').slice(0, NAME_LENGTH)
      known.set(text, `afterword_${hash}`)
      return known.get(text)
    },
    forget: () => {
      if (!isOff) onForgotten()
      isOff = true
    },
  }
}
