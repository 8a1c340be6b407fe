import { sql } from 'kysely'
import type { Instant } from '../domain/instant.ts'
import type { Db, Tx } from './connection/db.ts'

/** One write under one Idempotency-Key; both are SHA-256 hashes. */
export type Claim = { readonly siteId: number; readonly claim: Buffer; readonly bodyHash: Buffer }

/**
 * Holds the key until the transaction ends; false while another transaction does. A key that
 * crashed with its node is free again, because nothing of it was committed.
 */
export const tryClaim = async (tx: Tx, { siteId, claim }: Claim): Promise<boolean> => {
  const high = claim.readInt32BE(0) ^ siteId
  const low = claim.readInt32BE(4)
  const { rows } = await sql<{ held: boolean }>`
    select pg_try_advisory_xact_lock(${high}::int, ${low}::int) as held`.execute(tx)
  return rows[0]!.held
}

export const findAnswer = (tx: Tx, { siteId, claim }: Claim) =>
  tx
    .selectFrom('idempotencyKeys')
    .select(['bodyHash', 'answer'])
    .where('siteId', '=', siteId)
    .where('claim', '=', claim)
    .where('createdAt', '>', sql<Instant>`now() - interval '24 hours'`)
    .executeTakeFirst()

export const insertAnswer = async (
  tx: Tx,
  { siteId, claim, bodyHash }: Claim,
  answer: unknown,
): Promise<void> => {
  await tx
    .insertInto('idempotencyKeys')
    .values({ siteId, claim, bodyHash, answer: JSON.stringify(answer) })
    .onConflict((c) =>
      c.columns(['siteId', 'claim']).doUpdateSet((eb) => ({
        bodyHash: eb.ref('excluded.bodyHash'),
        answer: eb.ref('excluded.answer'),
        createdAt: eb.ref('excluded.createdAt'),
      })),
    )
    .execute()
}

/** Forgets a batch of what is older than a day. @returns how many rows went */
export const deleteOldAnswers = async (db: Db, batch: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where ctid = any(array(
      select ctid from idempotency_keys where created_at < now() - interval '24 hours' limit ${batch}))`.execute(
    db,
  )
  return Number(numAffectedRows ?? 0)
}
