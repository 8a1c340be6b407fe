import type { Db, Tx } from './db.ts'
import { COMMIT, type Pipeline } from './driver.ts'
import type { Query } from './prepared.ts'

type Queries = readonly (Query<any> | undefined)[]

/** The rows of each statement; none for one that is undefined. */
export type RowsOf<All extends Queries> = {
  -readonly [N in keyof All]: All[N] extends Query<infer Row> | undefined ? Row[] : never
}

/** Sends statements to Postgres; `sendTogether` or `sendWithCommit`. */
export type Send = <const All extends Queries>(queries: All) => Promise<RowsOf<All>>

/** Sends statements in one write to the socket, so that all of them take one round trip. */
export const sendTogether = <const All extends Queries>(
  db: Db,
  queries: All,
): Promise<RowsOf<All>> => send(db, queries, false)

/**
 * Sends the last statements of a transaction and its commit in one write to the socket. A `CommitFault` means that
 * the transaction may be committed or not; after any other error it is certainly rolled back.
 */
export const sendWithCommit = <const All extends Queries>(
  tx: Tx,
  queries: All,
): Promise<RowsOf<All>> => send(tx, queries, true)

const send = async <All extends Queries>(
  db: Db,
  queries: All,
  commits: boolean,
): Promise<RowsOf<All>> => {
  const pipeline = queries.filter((query) => query !== undefined)
  const query: Query & Pipeline = { ...(pipeline[0] ?? COMMIT), pipeline, commits }
  const { rows } = await db.executeQuery(query)
  let sent = 0
  return queries.map((query) => (query ? rows[sent++] : [])) as RowsOf<All>
}
