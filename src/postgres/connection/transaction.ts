import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db, Tx } from './db.ts'
import { isRetryable, translateError } from './errors.ts'

const ATTEMPTS = 3
const JITTER_MS = 20

/**
 * Runs one use case in one transaction; after a deadlock or serialisation failure the whole of it
 * again. Refuses with `unavailable` when Postgres is away: the outcome of the commit may then be
 * unknown.
 */
export const inTransaction = async <T>(db: Db, act: (tx: Tx) => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(act)
    } catch (error) {
      if (!isRetryable(error) || attempt === ATTEMPTS) throw translateError(error)
      await sleep(Math.random() * JITTER_MS * attempt)
    }
  }
}

const NOTHING_STAYS = new Error('nothing of this stays')

/** The same, and nothing of it stays: to see what would become of it. */
export const inRolledBackTransaction = async <T>(
  db: Db,
  act: (tx: Tx) => Promise<T>,
): Promise<T> => {
  const results: T[] = []
  try {
    await inTransaction(db, async (tx) => {
      results.push(await act(tx))
      throw NOTHING_STAYS
    })
  } catch (error) {
    if (error !== NOTHING_STAYS) throw error
  }
  return results.at(-1)!
}

/** Runs a query outside a transaction, with the same translation of faults. */
export const runQuery = async <T>(query: Promise<T>): Promise<T> => {
  try {
    return await query
  } catch (error) {
    throw translateError(error)
  }
}

/**
 * Holds the thread until the transaction ends. Writers that can only add share it; whoever hides
 * something or takes a subtree has it alone from the start, because an upgrade deadlocks. It is a
 * statement of its own: what is visible must be read by a later one, in a newer snapshot. Another
 * site's thread is not held: the statement that reads it will not find it.
 */
export const acquireThreadLock = async (
  tx: Tx,
  at: { siteId: number; threadId: number },
  mode: 'shared' | 'exclusive',
): Promise<void> => {
  const lock = sql.ref(mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock')
  await sql`
    select ${lock}(id) from threads where site_id = ${at.siteId} and id = ${at.threadId}`.execute(
    tx,
  )
}
