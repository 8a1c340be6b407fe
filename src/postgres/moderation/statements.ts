import { type RawBuilder, sql } from 'kysely'
import type { Reason, Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { AppealOutcome, StatementSource } from '../../domain/moderation/statement.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { isInvisible, isVisible } from '../comments/visible.ts'
import type { Db } from '../connection/db.ts'
import { readTrace, storedTrace } from '../screening/stored-judgements.ts'

export type StatedComment = StatementSource & {
  readonly comment: CommentKey
  /** Whether everyone can read the comment. */
  readonly isPublic: boolean
  readonly decisionId: number | null
}

type Row = Omit<StatedComment, 'comment' | 'decision' | 'appeal' | 'trace'> & {
  readonly threadId: number
  readonly id: number
  readonly homeThreadId: number | null
  readonly trace: string | null
  readonly decidedFrom: Status
  readonly decidedBy: string
  readonly decidedAt: Instant
  readonly reason: Reason | null
  readonly appealId: number | null
  readonly text: string
  readonly appealedAt: Instant
  readonly outcome: AppealOutcome | null
  readonly note: string | null
  readonly answeredAt: Instant | null
}

/** A deleted comment is deleted for its author too. */
const isShadowed = sql`(c.shadowed and c.status <> 'deleted')`

/**
 * A comment with the decision that led to its status, if the latest decision did. If that was an undo, the
 * decision that first led to the restored status counts.
 */
export const findStated = async (
  db: Db,
  siteId: number,
  { threadId, id }: CommentKey,
): Promise<StatedComment | undefined> => {
  const { rows } = await selectStated(sql`
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = ${id}`).execute(db)
  return rows[0] && toStated(rows[0])
}

type OfAuthor = { readonly siteId: number; readonly threadId: number; readonly authorId: number }

/** The comments of an author in a thread that are not public and do not just wait, newest first. */
export const listOwnTurnedDown = async (
  db: Db,
  { siteId, threadId, authorId, limit }: OfAuthor & { limit: number },
): Promise<StatedComment[]> => {
  const { rows } = await selectStated(sql`
    where c.site_id = ${siteId} and c.author_id = ${authorId} and c.thread_id = ${threadId}
      and ${isInvisible('c.status')} and c.status <> 'pending'
    order by c.id desc limit ${limit}`).execute(db)
  return rows.map(toStated)
}

const selectStated = (selection: RawBuilder<unknown>): RawBuilder<Row> => {
  const ofComment = sql`d.comment_id = c.id and d.action = 'status'`
  return sql<Row>`
    select c.thread_id, c.id, c.home_thread_id, c.author_id, c.status, ${isShadowed} as is_shadowed,
      c.created_at, c.edited_at, ${storedTrace} as trace, c.redacted_at is not null as is_redacted,
      ${isVisible('c.status')} and not c.shadowed and t.state <> 'hidden' as is_public,
      clock_timestamp() as read_at, d.id as decision_id, d.from_status as decided_from, d.decided_by,
      d.decided_at, d.reason, p.id as appeal_id, p.text, p.appealed_at, p.outcome, p.note, p.answered_at
    from comments c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    left join lateral (
      select d.to_status from decisions d where d.site_id = c.site_id and ${ofComment} order by d.id desc limit 1
    ) latest on true
    left join lateral (
      select d.* from decisions d
      where d.site_id = c.site_id and ${ofComment} and d.undoes is null and case when ${isShadowed} then ${isVisible('d.to_status')}
        else d.to_status = c.status and latest.to_status = c.status end
      order by d.id desc limit 1
    ) d on true
    left join lateral (
      select p.* from appeals p where p.site_id = c.site_id and p.comment_id = c.id order by p.id desc limit 1
    ) p on true
    ${selection}`
}

const toStated = (row: Row): StatedComment => {
  const { decidedFrom: from, decidedBy: by, decidedAt: at, reason, text, outcome, note } = row
  const appeal = { text, at: row.appealedAt, outcome, note, answeredAt: row.answeredAt }
  return {
    comment: { threadId: row.threadId, id: row.id, homeThreadId: row.homeThreadId },
    authorId: row.authorId,
    isPublic: row.isPublic,
    status: row.status,
    isShadowed: row.isShadowed,
    isRedacted: row.isRedacted,
    createdAt: row.createdAt,
    editedAt: row.editedAt,
    trace: row.trace === null ? null : readTrace(row.trace),
    readAt: row.readAt,
    decisionId: row.decisionId,
    decision: row.decisionId === null ? null : { from, by, at, reason },
    appeal: row.appealId === null ? null : { id: row.appealId, ...appeal },
  }
}
