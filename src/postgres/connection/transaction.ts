import { sql } from 'kysely'
import type { Db, Tx } from './db.ts'
import { translateError, tryAgain } from './errors.ts'
import { prepare } from './prepared.ts'

/**
 * Runs a function in one transaction, and again after a deadlock or serialisation failure. Refuses with
 * `unavailable` if Postgres does not respond; the transaction may then be committed or not.
 */
export const inTransaction = async <T>(db: Db, run: (tx: Tx) => Promise<T>): Promise<T> => {
  try {
    return await tryAgain(() => db.transaction().execute(run))
  } catch (error) {
    throw translateError(error)
  }
}

const ROLL_BACK = new Error('rolled back on purpose')

/** Runs a function in a transaction and rolls it back, to find out its result without its effects. */
export const inRolledBackTransaction = async <T>(
  db: Db,
  run: (tx: Tx) => Promise<T>,
): Promise<T> => {
  const results: T[] = []
  try {
    await inTransaction(db, async (tx) => {
      results.push(await run(tx))
      throw ROLL_BACK
    })
  } catch (error) {
    if (error !== ROLL_BACK) throw error
  }
  return results.at(-1)!
}

/** How long the reader of a snapshot may pause. An unread snapshot keeps Postgres from cleaning up. */
const SNAPSHOT_PAUSE = '60s'

/**
 * Yields one transaction that only reads, and sees the database as it was at its first statement. It ends when the
 * loop over it ends, however that happens.
 */
export async function* readingSnapshot(db: Db): AsyncGenerator<Tx, void> {
  const tx = await db.startTransaction().execute()
  try {
    await sql`set transaction isolation level repeatable read, read only`.execute(tx)
    await sql`set local idle_in_transaction_session_timeout = ${sql.lit(SNAPSHOT_PAUSE)}`.execute(
      tx,
    )
    yield tx
  } finally {
    await tx.rollback().execute()
  }
}

/** Runs a query outside a transaction and translates its errors. */
export const runQuery = async <T>(query: Promise<T>): Promise<T> => {
  try {
    return await query
  } catch (error) {
    throw translateError(error)
  }
}

/** Whether a statement waits for what another transaction has locked, or skips it. */
export type Waiting = 'wait' | 'skip'

/** Makes a value for each way to wait. */
export const forEachWaiting = <T>(make: (waiting: Waiting) => T): Readonly<Record<Waiting, T>> => ({
  wait: make('wait'),
  skip: make('skip'),
})

/** The end of a locking clause. */
export const orSkip = (waiting: Waiting) => (waiting === 'skip' ? sql`skip locked` : sql``)

/**
 * Acquires the thread lock until the transaction ends. Writes that only add comments share it. A write
 * that hides comments or changes a branch takes it exclusively from the start, because upgrading a
 * shared lock deadlocks. The lock is a statement of its own, so that the statements after it read a newer
 * snapshot. A thread of another site stays unlocked; later statements do not find it.
 */
export const acquireThreadLock = async (
  tx: Tx,
  at: { siteId: number; threadId: number },
  mode: 'shared' | 'exclusive',
): Promise<void> => {
  await tx.executeQuery(LOCK_THREAD[mode](at))
}

const lockWith = (lock: string) =>
  prepare<{ siteId: number; threadId: number }, unknown>(
    (of) => sql`
      select ${sql.ref(lock)}(id) from threads where site_id = ${of.siteId} and id = ${of.threadId}`,
  )

/** The statement of `acquireThreadLock`. */
export const LOCK_THREAD = {
  shared: lockWith('pg_advisory_xact_lock_shared'),
  exclusive: lockWith('pg_advisory_xact_lock'),
} as const
