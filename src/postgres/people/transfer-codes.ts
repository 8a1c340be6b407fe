import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { isAhead } from '../connection/clock.ts'
import type { Db, Tx } from '../connection/db.ts'

/** How long a transfer code is valid. */
const CODE_SECONDS = 600
const VALID = sql`make_interval(secs => ${sql.lit(CODE_SECONDS)})`

type OfAuthor = { readonly siteId: number; readonly authorId: number }
/** Of the hashes under each secret of the service, one is stored. */
type OfCode = { readonly siteId: number; readonly codeHashes: readonly Buffer[] }

/** Stores the code of a guest in place of an earlier one. @returns when it expires */
export const storeTransferCode = async (
  tx: Tx,
  { siteId, authorId, codeHash }: OfAuthor & { codeHash: Buffer },
): Promise<Instant> => {
  const { rows } = await sql<{ expiresAt: Instant }>`
    insert into transfer_codes (site_id, author_id, code_hash, expires_at)
    values (${siteId}, ${authorId}, ${codeHash}, clock_timestamp() + ${VALID})
    on conflict (site_id, author_id) do update
      set code_hash = excluded.code_hash, expires_at = excluded.expires_at
    returning expires_at`.execute(tx)
  return rows[0]!.expiresAt
}

/** The guest of a code that is valid now. */
export const findTransfer = async (
  db: Db,
  { siteId, codeHashes }: OfCode,
): Promise<number | undefined> => {
  const { rows } = await sql<{ authorId: number }>`
    select author_id from transfer_codes
    where site_id = ${siteId} and code_hash = any(${codeHashes}::bytea[]) and ${isAhead('expires_at', VALID)}`.execute(
    db,
  )
  return rows[0]?.authorId
}

/** @returns false if another request has used the code, or the guest has a newer one */
export const deleteTransferCode = async (
  tx: Tx,
  { siteId, codeHashes }: OfCode,
): Promise<boolean> => {
  const { rows } = await sql`
    delete from transfer_codes where site_id = ${siteId} and code_hash = any(${codeHashes}::bytea[])
    returning author_id`.execute(tx)
  return rows.length > 0
}

/** Deletes a batch of expired codes. @returns the number of rows */
export const deleteOldTransferCodes = async (tx: Tx, limit: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    with old as (
      select c.* from sites s cross join lateral (
        select c.site_id, c.author_id from transfer_codes c
        where c.site_id = s.id and c.expires_at < clock_timestamp()
        limit ${limit} for update skip locked
      ) c
      limit ${limit}
    )
    delete from transfer_codes where (site_id, author_id) in (select * from old)`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
