import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { BatchKind, Outcome } from '../../domain/moderation/decision.ts'
import type { Db, Tx } from '../connection/db.ts'

/** Many decisions, undos or re-judgements of one request, and their progress. */
export type Batch = {
  readonly siteId: number
  readonly id: number
  readonly kind: BatchKind
  /** The request of the batch. Its form depends on the kind. */
  readonly request: unknown
  readonly by: string
  readonly at: Instant
  readonly total: number
  /** Comments processed, changed or not. */
  readonly done: number
  readonly changed: number
  /** The number of items per outcome; a missing outcome has none. */
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
  /** The position where the next step begins, for kinds without items. */
  readonly afterId: number
  /** Null if comments are left to process. */
  readonly endedAt: Instant | null
}

const columns = sql`site_id, id, kind, request, asked_by as "by", asked_at as "at", total, done, changed,
  outcomes, after_id, ended_at`

export const insertBatch = async (
  tx: Tx,
  batch: Pick<Batch, 'siteId' | 'kind' | 'request' | 'by' | 'total'>,
): Promise<Batch> => {
  const { siteId, kind, request, by, total } = batch
  const { rows } = await sql<Batch>`
    insert into batches (site_id, kind, request, asked_by, asked_at, total)
    values (${siteId}, ${kind}, ${JSON.stringify(request)}, ${by}, clock_timestamp(), ${total})
    returning ${columns}`.execute(tx)
  return rows[0]!
}

export const findBatch = async (
  db: Db,
  { siteId, id }: Pick<Batch, 'siteId' | 'id'>,
): Promise<Batch | undefined> => {
  const { rows } = await sql<Batch>`
    select ${columns} from batches where site_id = ${siteId} and id = ${id}`.execute(db)
  return rows[0]
}

/** Latest first; `limit + 1` rows. */
export const listBatches = async (
  db: Db,
  { siteId, beforeId, limit }: { siteId: number; beforeId: number | null; limit: number },
): Promise<Batch[]> => {
  const { rows } = await sql<Batch>`
    select ${columns} from batches
    where site_id = ${siteId} ${beforeId === null ? sql`` : sql`and id < ${beforeId}`}
    order by id desc limit ${limit + 1}`.execute(db)
  return rows
}

/** Only one transaction at a time processes items of a batch: the request that created it, or a job. */
export const lockBatchRow = async (
  tx: Tx,
  { siteId, id }: Pick<Batch, 'siteId' | 'id'>,
): Promise<void> => {
  await sql`
    select from batches where site_id = ${siteId} and id = ${id} for no key update`.execute(tx)
}

/**
 * Counts one step of a batch without items, in the transaction of its effect. The caller has locked the batch
 * before it read it.
 * @returns how many comments got an outcome
 */
export const advanceBatch = async (
  tx: Tx,
  { siteId, id, done, changed, outcomes: before }: Batch,
  { outcomes, afterId }: Pick<Batch, 'outcomes' | 'afterId'>,
): Promise<number> => {
  const sums = { ...before }
  let number = 0
  for (const [outcome, count] of Object.entries(outcomes) as [Outcome, number][]) {
    sums[outcome] = (sums[outcome] ?? 0) + count
    number += count
  }
  await sql`
    update batches set done = ${done + number}, total = greatest(total, ${done + number}::int),
      changed = ${changed + (outcomes.changed ?? 0)}, after_id = ${afterId},
      outcomes = ${JSON.stringify(sums)}
    where site_id = ${siteId} and id = ${id}`.execute(tx)
  return number
}

/** Marks a batch as ended. */
export const endBatch = async (
  tx: Tx,
  { siteId, id }: Pick<Batch, 'siteId' | 'id'>,
): Promise<void> => {
  await sql`
    update batches set ended_at = clock_timestamp()
    where site_id = ${siteId} and id = ${id} and ended_at is null`.execute(tx)
}

/** Whether a batch takes comments out of one of these threads, or brings comments into the source. */
export const isMergeRunning = async (
  tx: Tx,
  siteId: number,
  { from, to }: { from: number; to: number },
): Promise<boolean> => {
  const { rows } = await sql<{ is: boolean }>`
    select exists (select from batches where site_id = ${siteId} and ended_at is null
      and ((request #>> '{merge,from}')::bigint = any(${[from, to]}::bigint[])
        or (request #>> '{merge,to}')::bigint = ${from})) as "is"`.execute(tx)
  return rows[0]!.is
}
