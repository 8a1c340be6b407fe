import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { FlagReason } from '../../domain/moderation/flag.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Tx } from '../connection/db.ts'
import { prepare, type Query } from '../connection/prepared.ts'

export type NewFlag = {
  readonly siteId: number
  readonly comment: CommentKey
  readonly authorId: number
  readonly reason: FlagReason
  readonly note: string | null
  /** The hash of a guest's address; null for a member. */
  readonly addressHash: Buffer | null
}

/** An author's flag on a comment, and the number of flags of guests from the same network. */
export const findFlagAndNetworkCount = async (
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
 * Inserts a flag, or replaces its reason and note. A flag with a decision stays decided and counts for its
 * network.
 * @returns the time of the first flag
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

/** Counts one more undecided flag. @returns the number of undecided flags */
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

type At = { readonly siteId: number; readonly threadId: number }

/** A decision on a comment, which is in this thread. */
export type Resolution = {
  readonly threadId: number
  readonly commentId: number
  readonly decisionId: number
}

/** The statement that resolves the flags on comments after decisions. The caller holds the thread locks. */
export const resolveFlags = (siteId: number, resolutions: readonly Resolution[]): Query =>
  RESOLVE_FLAGS({
    siteId,
    threadIds: resolutions.map(({ threadId }) => threadId),
    commentIds: resolutions.map(({ commentId }) => commentId),
    decisionIds: resolutions.map(({ decisionId }) => decisionId),
  })

type ResolutionColumns = {
  readonly siteId: number
  readonly threadIds: readonly number[]
  readonly commentIds: readonly number[]
  readonly decisionIds: readonly number[]
}

const RESOLVE_FLAGS = prepare<ResolutionColumns, unknown>(
  (of) => sql`
    with decided as (
      select * from unnest(${of.threadIds}::bigint[], ${of.commentIds}::bigint[], ${of.decisionIds}::bigint[])
        as d (thread_id, comment_id, decision_id)
    ),
    flagged as (
      update comments c set flag_count = 0 from decided d
      where c.site_id = ${of.siteId} and c.thread_id = d.thread_id and c.id = d.comment_id
        and c.flag_count > 0
    )
    update flags f set resolved_at = clock_timestamp(), resolved_by = d.decision_id from decided d
    where f.site_id = ${of.siteId} and f.thread_id = d.thread_id and f.comment_id = d.comment_id
      and f.resolved_at is null`,
)

/** An undone decision, and the decision that undoes it. */
export type RestoredFlags = {
  readonly id: number
  readonly commentId: number | null
  /** The decision that the undone decision itself undid. */
  readonly undoes: number | null
  readonly undoneBy: number
}

/**
 * Restores flags after an undo: flags that the undone decision resolved count again, and flags that it made
 * count again are resolved again. Each flag stores the last decision that resolved it, so this is exact.
 */
export const restoreFlags = async (
  tx: Tx,
  { siteId, threadId }: At,
  decisions: readonly RestoredFlags[],
): Promise<void> => {
  await sql`
    with back as (
      select * from unnest(${decisions.map(({ id }) => id)}::bigint[],
        ${decisions.map(({ commentId }) => commentId)}::bigint[],
        ${decisions.map(({ undoes }) => undoes)}::bigint[],
        ${decisions.map(({ undoneBy }) => undoneBy)}::bigint[])
        as b (id, comment_id, undoes, undone_by)
    ),
    changed as (
      update flags f
      set resolved_at = case when f.resolved_at is null then clock_timestamp() end,
        resolved_by = case when f.resolved_at is null then b.undone_by else f.resolved_by end
      from back b
      where f.site_id = ${siteId} and f.thread_id = ${threadId} and f.comment_id = b.comment_id
        and (f.resolved_by = b.id and f.resolved_at is not null
          or f.resolved_by = b.undoes and f.resolved_at is null)
      returning f.comment_id, f.resolved_at is null as is_open
    )
    update comments c set flag_count = c.flag_count + n.number
    from (
      select comment_id, sum(case when is_open then 1 else -1 end) as number from changed group by 1
    ) n
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = n.comment_id`.execute(tx)
}
