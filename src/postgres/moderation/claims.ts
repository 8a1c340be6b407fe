import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { MAX_CLAIM_SECONDS } from '../../domain/moderation/decision.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { isAhead } from '../connection/clock.ts'
import type { Db, Tx } from '../connection/db.ts'

/** Whether a claim has not ended. */
export const isClaimed = (column: string) =>
  isAhead(column, sql`make_interval(secs => ${sql.lit(MAX_CLAIM_SECONDS)})`)

/** `renews`: claims that the moderator already has are extended. */
export type Claimer = {
  readonly siteId: number
  readonly by: string
  readonly seconds: number
  readonly renews: boolean
}

/**
 * Claims those of the comments that no other moderator has claimed. A concurrent claim of the same comments
 * waits for this transaction, and gets the rest.
 * @returns the claimed comments, and until when
 */
export const insertClaims = async (
  tx: Tx,
  { siteId, by, seconds, renews }: Claimer,
  keys: readonly CommentKey[],
): Promise<{ keys: CommentKey[]; until: Instant | undefined }> => {
  const { rows } = await sql<CommentKey & { until: Instant }>`
    insert into claims (site_id, thread_id, comment_id, claimed_by, claimed_until)
    select ${siteId}, c.thread_id, c.id, ${by}, clock_timestamp() + make_interval(secs => ${seconds})
    from unnest(${keys.map(({ threadId }) => threadId)}::bigint[], ${keys.map(({ id }) => id)}::bigint[])
      as k (thread_id, id)
    left join comments m
      on m.site_id = ${siteId} and m.id = k.id and m.home_thread_id = k.thread_id
    join comments c
      on c.site_id = ${siteId} and c.thread_id = coalesce(m.thread_id, k.thread_id) and c.id = k.id
    order by c.id
    on conflict (site_id, comment_id) do update
      set thread_id = excluded.thread_id, claimed_by = excluded.claimed_by,
        claimed_until = excluded.claimed_until
      where not ${isClaimed('claims.claimed_until')} or (${renews} and claims.claimed_by = excluded.claimed_by)
    returning thread_id, comment_id as id, claimed_until as until`.execute(tx)
  return { keys: rows.map(({ threadId, id }) => ({ threadId, id })), until: rows[0]?.until }
}

/** Comments that a moderator has claimed now. */
export const listClaims = async (
  db: Db,
  siteId: number,
  by: string,
  limit: number,
): Promise<CommentKey[]> => {
  const { rows } = await sql<CommentKey>`
    select thread_id, comment_id as id from claims
    where site_id = ${siteId} and claimed_by = ${by} and ${isClaimed('claimed_until')}
    order by claimed_until limit ${limit}`.execute(db)
  return rows
}

/** Ends a moderator's claim on one comment, or all of the moderator's claims. */
export const deleteClaims = async (
  tx: Tx,
  { siteId, by, commentId }: { siteId: number; by: string; commentId: number | undefined },
): Promise<void> => {
  await sql`
    delete from claims where site_id = ${siteId} and claimed_by = ${by}
      ${commentId === undefined ? sql`` : sql`and comment_id = ${commentId}`}`.execute(tx)
}

/** Deletes claims that expired an hour ago. @returns the number of rows */
export const deleteOldClaims = async (tx: Tx, limit: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from claims where (site_id, comment_id) in (
      select site_id, comment_id from claims where claimed_until < now() - interval '1 hour' limit ${limit}
      for update skip locked)`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
