import { sql } from 'kysely'
import type { Position } from '../../domain/comment/sort.ts'
import { instantOf } from '../../domain/instant.ts'
import type { AppealOutcome, OwnAppeal } from '../../domain/moderation/statement.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Db, Tx } from '../connection/db.ts'

export type Appeal = OwnAppeal & {
  readonly comment: CommentKey
  readonly authorId: number
  /** The decision that the appeal is against; null if no person made it. */
  readonly decisionId: number | null
  /** The maker of that decision. */
  readonly decidedBy: string | null
  readonly answeredBy: string | null
}

const columns = sql`id, thread_id, comment_id, author_id, text, appealed_at as "at", decision_id,
  decided_by, outcome, note, answered_by, answered_at`

type Row = Omit<Appeal, 'comment'> & { readonly threadId: number; readonly commentId: number }

const toAppeal = ({ threadId, commentId, ...row }: Row): Appeal => ({
  ...row,
  comment: { threadId, id: commentId },
})

export type NewAppeal = Pick<
  Appeal,
  'comment' | 'authorId' | 'text' | 'decisionId' | 'decidedBy'
> & { readonly siteId: number }

/** The caller has locked the comment, which has no appeal yet. */
export const insertAppeal = async (tx: Tx, appeal: NewAppeal): Promise<Appeal> => {
  const { siteId, comment, authorId, text, decisionId, decidedBy } = appeal
  const { rows } = await sql<Row>`
    insert into appeals
      (site_id, thread_id, comment_id, author_id, text, appealed_at, decision_id, decided_by)
    values (${siteId}, ${comment.threadId}, ${comment.id}, ${authorId}, ${text}, clock_timestamp(),
      ${decisionId}, ${decidedBy})
    returning ${columns}`.execute(tx)
  return toAppeal(rows[0]!)
}

export const findAppeal = async (
  db: Db,
  at: { siteId: number; id: number },
): Promise<Appeal | undefined> => {
  const { rows } = await sql<Row>`
    select ${columns} from appeals where site_id = ${at.siteId} and id = ${at.id}`.execute(db)
  return rows[0] && toAppeal(rows[0])
}

/** Undefined if the appeal was already answered. */
export const answerAppeal = async (
  tx: Tx,
  answer: { siteId: number; id: number; outcome: AppealOutcome; note: string | null; by: string },
): Promise<Appeal | undefined> => {
  const { rows } = await sql<Row>`
    update appeals set outcome = ${answer.outcome}, note = ${answer.note}, answered_by = ${answer.by},
      answered_at = clock_timestamp()
    where site_id = ${answer.siteId} and id = ${answer.id} and outcome is null
    returning ${columns}`.execute(tx)
  return rows[0] && toAppeal(rows[0])
}

/** Waiting appeals, oldest first, or answered ones, latest answer first; `limit + 1` rows. */
export const listAppeals = async (
  db: Db,
  request: {
    siteId: number
    state: 'waiting' | 'answered'
    after: Position | null
    limit: number
  },
): Promise<Appeal[]> => {
  const { siteId, state, after, limit } = request
  const [time, id] = after ?? [0, 0]
  const { past, order } =
    state === 'waiting'
      ? { past: sql`id > ${id}`, order: sql`id` }
      : {
          past: sql`(answered_at, id) < (${instantOf(time)}::timestamptz, ${id})`,
          order: sql`answered_at desc, id desc`,
        }
  const { rows } = await sql<Row>`
    select ${columns} from appeals
    where site_id = ${siteId} and outcome ${state === 'waiting' ? sql`is null` : sql`is not null`}
      and ${after === null ? sql`true` : past}
    order by ${order} limit ${limit + 1}`.execute(db)
  return rows.map(toAppeal)
}
