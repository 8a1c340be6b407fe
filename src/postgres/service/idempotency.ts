import { sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'

/** The hash of a client's Idempotency-Key with the hash of the request's body, both SHA-256. */
export type IdempotencyKey = {
  readonly siteId: number
  readonly claim: Buffer
  readonly bodyHash: Buffer
}

/** The stored response of an earlier request with the same key. */
export type StoredResponse = { readonly bodyHash: Buffer; readonly answer: unknown }

/**
 * Locks keys until the transaction ends. If a node crashes, its keys are free again, because nothing was
 * committed.
 * @returns in the order of the keys; false for each that another transaction has locked
 */
export const lockIdempotencyKeys = async (
  tx: Tx,
  claims: readonly IdempotencyKey[],
): Promise<boolean[]> => {
  const highs = claims.map(({ siteId, claim }) => claim.readInt32BE(0) ^ siteId)
  const lows = claims.map(({ claim }) => claim.readInt32BE(4))
  const { rows } = await sql<{ held: boolean }>`
    select pg_try_advisory_xact_lock(high, low) as held
    from unnest(${highs}::int[], ${lows}::int[]) with ordinality as c (high, low, ordinal)
    order by ordinal`.execute(tx)
  return rows.map(({ held }) => held)
}

/** @returns in the order of the keys; undefined for each without a response of the last day */
export const findAnswers = async (
  tx: Tx,
  claims: readonly IdempotencyKey[],
): Promise<(StoredResponse | undefined)[]> => {
  const { rows } = await sql<StoredResponse & { ordinal: number }>`
    select c.ordinal, k.body_hash, k.answer
    from unnest(${claims.map(({ siteId }) => siteId)}::int[],
      ${claims.map(({ claim }) => claim)}::bytea[]) with ordinality as c (site_id, claim, ordinal)
    join idempotency_keys k on k.site_id = c.site_id and k.claim = c.claim
    where k.created_at > now() - interval '24 hours'`.execute(tx)
  const byOrdinal = new Map(rows.map(({ ordinal, ...stored }) => [ordinal, stored]))
  return claims.map((_, i) => byOrdinal.get(i + 1))
}

/** @param answered no key occurs twice */
export const insertAnswers = async (
  tx: Tx,
  answered: readonly { readonly claim: IdempotencyKey; readonly answer: unknown }[],
): Promise<void> => {
  await sql`
    insert into idempotency_keys (site_id, claim, body_hash, answer)
    select * from unnest(
      ${answered.map(({ claim }) => claim.siteId)}::int[],
      ${answered.map(({ claim }) => claim.claim)}::bytea[],
      ${answered.map(({ claim }) => claim.bodyHash)}::bytea[],
      ${answered.map(({ answer }) => JSON.stringify(answer))}::json[])
    on conflict (site_id, claim) do update set body_hash = excluded.body_hash,
      answer = excluded.answer, created_at = excluded.created_at`.execute(tx)
}

/** Replaces the response that repeated requests get. */
export const updateAnswer = async (
  tx: Tx,
  { siteId, claim }: IdempotencyKey,
  answer: unknown,
): Promise<void> => {
  await tx
    .updateTable('idempotencyKeys')
    .set({ answer: JSON.stringify(answer) })
    .where('siteId', '=', siteId)
    .where('claim', '=', claim)
    .execute()
}

/** Deletes a batch of the answers that are older than a day. @returns the number of rows */
export const deleteOldAnswers = async (db: Db, batch: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where (site_id, claim) in (
      select site_id, claim from idempotency_keys
      where created_at < now() - interval '24 hours' limit ${batch})`.execute(db)
  return Number(numAffectedRows ?? 0)
}
