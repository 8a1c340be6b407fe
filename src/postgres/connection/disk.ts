import { sql } from 'kysely'
import type { Db } from './db.ts'
import { type FaultReason, reasonOf } from './fault-reasons.ts'
import { inRolledBackTransaction } from './transaction.ts'

/** How often a full disk is probed. */
const PROBE_MS = 1_000

type Log = Readonly<Record<'error' | 'info', (message: string) => void>>

export type DiskWatch = {
  /** A statement has found the disk of Postgres full. */
  readonly report: () => void
  readonly isFull: () => boolean
  readonly close: () => void
}

/**
 * Knows whether the disk of Postgres is full: from the first statement that says so until a probe finds room. A
 * successful write proves nothing, because a small one needs no new page.
 */
export const createDiskWatch = (options: {
  log: Log
  findRoom: () => Promise<boolean>
}): DiskWatch => {
  let timer: NodeJS.Timeout | undefined
  const probe = async (): Promise<void> => {
    if (await options.findRoom()) {
      timer = undefined
      options.log.info('postgres: the disk has room again')
    } else if (timer) wait()
  }
  const wait = (): void => {
    timer = setTimeout(() => void probe(), PROBE_MS)
    timer.unref()
  }
  return {
    report: () => {
      if (timer) return
      options.log.error('postgres: the disk is full; writes are refused until it has room')
      wait()
    },
    isFull: () => timer !== undefined,
    close: () => {
      clearTimeout(timer)
      timer = undefined
    },
  }
}

/** Reasons that say nothing about the disk. */
const OTHER_REASONS: readonly FaultReason[] = ['permission_denied', 'read_only', 'unknown']

/** Whether Postgres can extend a table, by 256 kB that it takes back. False if Postgres does not answer. */
export const findRoom = async (db: Db): Promise<boolean> => {
  const write = inRolledBackTransaction(db, (tx) =>
    sql`create table afterword_room as select md5(n::text) from generate_series(1, 4000) n`.execute(
      tx,
    ),
  )
  const reason = await write.then(() => undefined, reasonOf)
  return reason === undefined || OTHER_REASONS.includes(reason)
}
