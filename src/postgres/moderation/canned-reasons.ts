import { sql } from 'kysely'
import type { Reason } from '../../domain/comment/status.ts'
import type { Db, Tx } from '../connection/db.ts'

/** A prepared reason and note for decisions. */
export type CannedReason = {
  readonly id: number
  /** The title in the moderators' list. */
  readonly title: string
  readonly reason: Reason
  readonly note: string
}

export type CannedReasonFields = Omit<CannedReason, 'id'>

const COLUMNS = ['id', 'title', 'reason', 'note'] as const

/** In the order of creation; `limit + 1` rows. */
export const listCannedReasons = (
  db: Db,
  { siteId, afterId, limit }: { siteId: number; afterId: number; limit: number },
): Promise<CannedReason[]> =>
  db
    .selectFrom('cannedReasons')
    .select(COLUMNS)
    .where('siteId', '=', siteId)
    .where('id', '>', afterId)
    .orderBy('id')
    .limit(limit + 1)
    .execute()

/** The caller has locked the site's row, so the count stays true until the transaction ends. */
export const countCannedReasons = async (tx: Tx, siteId: number): Promise<number> => {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from canned_reasons where site_id = ${siteId}`.execute(tx)
  return rows[0]!.count
}

export const insertCannedReason = (
  tx: Tx,
  siteId: number,
  fields: CannedReasonFields,
): Promise<CannedReason> =>
  tx
    .insertInto('cannedReasons')
    .values({ siteId, ...fields })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()

/** Locks the row until the transaction ends. */
export const lockCannedReasonRow = (
  tx: Tx,
  siteId: number,
  id: number,
): Promise<CannedReason | undefined> =>
  tx
    .selectFrom('cannedReasons')
    .select(COLUMNS)
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()

export const updateCannedReason = (
  tx: Tx,
  siteId: number,
  { id, ...fields }: CannedReason,
): Promise<CannedReason> =>
  tx
    .updateTable('cannedReasons')
    .set(fields)
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()

export const deleteCannedReason = async (tx: Tx, siteId: number, id: number): Promise<void> => {
  await tx.deleteFrom('cannedReasons').where('siteId', '=', siteId).where('id', '=', id).execute()
}
