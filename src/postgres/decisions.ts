import { sql } from 'kysely'
import type { Instant } from '../domain/instant.ts'
import type { CommentKey } from '../domain/public-id.ts'
import type { Reason, Status } from '../domain/status.ts'
import type { Db, Tx } from './connection/db.ts'

export type Decision = {
  readonly id: number
  readonly threadId: number
  readonly commentId: number
  readonly from: Status
  readonly to: Status
  readonly reason: Reason | null
  readonly note: string | null
  /** The decision on an ancestor that took this comment along. */
  readonly causedBy: number | null
  readonly by: string
  readonly at: Instant
}

export type NewDecision = Omit<Decision, 'id' | 'at' | 'causedBy'> & { readonly siteId: number }

const columns = sql`id, thread_id, comment_id, from_status as "from", to_status as "to", reason, note,
  caused_by, decided_by as "by", decided_at as "at"`

export const insertDecision = async (tx: Tx, decision: NewDecision): Promise<Decision> => {
  const { siteId, threadId, commentId, from, to, reason, note, by } = decision
  const { rows } = await sql<Decision>`
    insert into decisions
      (site_id, thread_id, comment_id, from_status, to_status, reason, note, decided_by, decided_at)
    values (${siteId}, ${threadId}, ${commentId}, ${from}, ${to}, ${reason}, ${note}, ${by}, clock_timestamp())
    returning ${columns}`.execute(tx)
  return rows[0]!
}

/** The same decision once more for each comment that went along with the first. */
export const insertConsequences = async (
  tx: Tx,
  siteId: number,
  cause: Decision,
  commentIds: readonly number[],
): Promise<void> => {
  await sql`
    insert into decisions (site_id, thread_id, comment_id, from_status, to_status, reason, note,
      decided_by, decided_at, caused_by)
    select site_id, thread_id, taken.id, from_status, to_status, reason, note, decided_by, decided_at, d.id
    from decisions d cross join unnest(${commentIds}::bigint[]) as taken (id)
    where d.site_id = ${siteId} and d.id = ${cause.id}`.execute(tx)
}

/** Latest first; `limit + 1` rows. */
export const listDecisions = async (
  db: Db,
  request: {
    siteId: number
    on?: CommentKey | undefined
    beforeId: number | null
    limit: number
  },
): Promise<Decision[]> => {
  const { siteId, on, beforeId, limit } = request
  const { rows } = await sql<Decision>`
    select ${columns} from decisions
    where site_id = ${siteId}
      ${on ? sql`and thread_id = ${on.threadId} and comment_id = ${on.id}` : sql``}
      ${beforeId === null ? sql`` : sql`and id < ${beforeId}`}
    order by id desc limit ${limit + 1}`.execute(db)
  return rows
}
