import { sql } from 'kysely'
import type { FlagReason } from '../domain/flag.ts'
import type { Instant } from '../domain/instant.ts'
import type { CommentKey } from '../domain/public-id.ts'
import type { Tx } from './connection/db.ts'

export type NewFlag = {
  readonly siteId: number
  readonly comment: CommentKey
  readonly authorId: number
  readonly reason: FlagReason
  readonly note: string | null
  /** Of a guest's network; null for a member. */
  readonly addressHash: Buffer | null
}

/** The flag that a person has on a comment, and how many guests of its network have one. */
export const findFlagBeside = async (
  tx: Tx,
  { siteId, comment, authorId, addressHash }: NewFlag,
): Promise<{ hasFlagged: boolean; ofNetwork: number }> => {
  const { rows } = await sql<{ hasFlagged: boolean; ofNetwork: number }>`
    select coalesce(bool_or(author_id = ${authorId}), false) as has_flagged,
      count(*) filter (where address_hash = ${addressHash}) as of_network
    from flags
    where site_id = ${siteId} and thread_id = ${comment.threadId} and comment_id = ${comment.id}
      and (author_id = ${authorId} or address_hash = ${addressHash})`.execute(tx)
  return rows[0]!
}

/**
 * Inserts a flag, or replaces what it says; one that was decided on stays so, and its network has had
 * its share.
 * @returns when it was first given
 */
export const writeFlag = async (
  tx: Tx,
  { siteId, comment, authorId, reason, note, addressHash }: NewFlag,
): Promise<Instant> => {
  const { rows } = await sql<{ flaggedAt: Instant }>`
    insert into flags
      (site_id, thread_id, comment_id, author_id, reason, note, address_hash, flagged_at)
    values (${siteId}, ${comment.threadId}, ${comment.id}, ${authorId}, ${reason}, ${note},
      ${addressHash}, clock_timestamp())
    on conflict (site_id, thread_id, comment_id, author_id) do update
      set reason = excluded.reason, note = excluded.note
    returning flagged_at`.execute(tx)
  return rows[0]!.flaggedAt
}

/** Counts one more flag that no moderator has decided on. @returns how many there are now */
export const countFlag = async (
  tx: Tx,
  siteId: number,
  { threadId, id }: CommentKey,
): Promise<number> => {
  const { flagCount } = await tx
    .updateTable('comments')
    .set({ flagCount: sql`flag_count + 1` })
    .where('siteId', '=', siteId)
    .where('threadId', '=', threadId)
    .where('id', '=', id)
    .returning('flagCount')
    .executeTakeFirstOrThrow()
  return flagCount
}

/** A moderator has decided on these comments, which are locked: their flags count no longer. */
export const resolveFlags = async (
  tx: Tx,
  { siteId, threadId, ids }: { siteId: number; threadId: number; ids: readonly number[] },
): Promise<void> => {
  await sql`
    with flagged as (
      update comments set flag_count = 0
      where site_id = ${siteId} and thread_id = ${threadId} and id = any(${ids}::bigint[])
        and flag_count > 0
      returning id
    )
    update flags set resolved_at = clock_timestamp()
    where site_id = ${siteId} and thread_id = ${threadId} and resolved_at is null
      and comment_id in (select id from flagged)`.execute(tx)
}
