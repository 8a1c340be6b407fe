import { redactComments } from '../../postgres/comments/redaction.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction } from '../../postgres/connection/transaction.ts'
import { endStaleImports } from '../../postgres/importing/imports.ts'
import { deleteOldItems } from '../../postgres/jobs/batch-items.ts'
import { deleteOldFailedJobs } from '../../postgres/jobs/jobs.ts'
import { forgetEndedBans } from '../../postgres/moderation/bans.ts'
import { deleteOldClaims } from '../../postgres/moderation/claims.ts'
import {
  deleteOldAddresses,
  deleteOldArrivals,
  findWithdrawnTexts,
  forgetOldAddresses,
  forgetOldSubjects,
} from '../../postgres/people/retention.ts'
import { deleteOldTransferCodes } from '../../postgres/people/transfer-codes.ts'
import { deleteOldAnswers } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'

const BATCH_ANSWERS = 5_000
const BATCH_ARRIVALS = 5_000
const BATCH_ITEMS = 5_000
const BATCH_ADDRESSES = 1_000
const BATCH_TEXTS = 100

/**
 * Deletes what is past its retention. Immediately: expired transfer codes. After a day: responses under Idempotency-Keys, recent posts, expired
 * claims, items of batches that have ended. After the site's retention days: addresses, and texts that their
 * authors deleted. After 30 days: jobs that were given up. After a year: the subject of an erased member.
 */
export const applyRetention = async (context: Context, signal: AbortSignal): Promise<void> => {
  const inBatches = async (one: Parameters<typeof inTransaction<number>>[1], batch: number) => {
    while (!signal.aborted && (await inTransaction(context.writes, one)) >= batch);
  }
  await inBatches((tx) => deleteOldAnswers(tx, BATCH_ANSWERS), BATCH_ANSWERS)
  await inBatches((tx) => deleteOldArrivals(tx, BATCH_ARRIVALS), BATCH_ARRIVALS)
  await inBatches((tx) => deleteOldItems(tx, BATCH_ITEMS), BATCH_ITEMS)
  await inBatches((tx) => deleteOldTransferCodes(tx, BATCH_ITEMS), BATCH_ITEMS)
  await inBatches((tx) => deleteOldClaims(tx, BATCH_ITEMS), BATCH_ITEMS)
  await inBatches((tx) => endStaleImports(tx, BATCH_ITEMS), BATCH_ITEMS)
  await inBatches((tx) => deleteOldFailedJobs(tx, BATCH_ITEMS), BATCH_ITEMS)
  await inBatches((tx) => deleteOldAddresses(tx, BATCH_ADDRESSES), BATCH_ADDRESSES)
  for (const table of ['votes', 'flags', 'arrivals'] as const)
    await inBatches((tx) => forgetOldAddresses(tx, table, BATCH_ADDRESSES), BATCH_ADDRESSES)
  await inBatches(forgetWithdrawnTexts, 1)
  await inBatches(forgetOldSubjects, 1)
  await inBatches(forgetEndedBans, 1)
}

/** @returns the number of texts */
const forgetWithdrawnTexts = async (tx: Tx): Promise<number> => {
  const found = await findWithdrawnTexts(tx, BATCH_TEXTS)
  if (!found) return 0
  await redactComments(tx, found)
  return found.ids.length
}
