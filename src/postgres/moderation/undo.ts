import { sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { DecisionAction } from '../../domain/moderation/decision.ts'
import type { Decidable } from '../comments/branches.ts'
import type { Db, Tx } from '../connection/db.ts'
import type { Difference } from './decisions.ts'

/** A decision that is to be taken back, with its comment as it is now. */
export type Undoable = {
  readonly id: number
  readonly action: DecisionAction
  readonly commentId: number
  readonly from: Status | null
  readonly to: Status | null
  readonly before: Difference | null
  readonly after: Difference | null
  readonly causedBy: number | null
  readonly undoes: number | null
  readonly comment: Decidable & { readonly pinned: boolean; readonly locked: boolean }
  readonly isErased: boolean
  /** It says something else than when the decision was made. */
  readonly isEdited: boolean
  /** Later ones of the same kind on the comment, the last first. */
  readonly later: readonly { readonly id: number; readonly undoes: number | null }[]
  /** It follows from the answer to an appeal, which is for good. */
  readonly isAnswer: boolean
}

type Place = { readonly siteId: number; readonly threadId: number }

/** Where a decision's comment is now, and what it did; undefined if the site has no such decision. */
export const findDecisionPlace = async (
  db: Db,
  siteId: number,
  id: number,
): Promise<
  { action: DecisionAction; threadId: number | null; from: Status | null } | undefined
> => {
  const { rows } = await sql<{
    action: DecisionAction
    threadId: number | null
    from: Status | null
  }>`
    select d.action, coalesce(m.thread_id, d.thread_id) as thread_id, d.from_status as "from"
    from decisions d
    left join comments m
      on m.site_id = d.site_id and m.id = d.comment_id and m.home_thread_id = d.thread_id
    where d.site_id = ${siteId} and d.id = ${id}`.execute(db)
  return rows[0]
}

/** A decision on a thread or a ban, and whether it was taken back. */
export type UndoTarget = {
  readonly action: DecisionAction
  readonly subject: string
  readonly before: Difference | null
  readonly after: Difference | null
  readonly isUndone: boolean
}

/** What the decision is on is held, so that nobody else takes it back. */
export const lockUndoTarget = async (tx: Tx, siteId: number, id: number): Promise<UndoTarget> => {
  const { rows } = await sql<UndoTarget>`
    select d.action, d.subject, d.before, d.after, exists (
      select from decisions u where u.site_id = d.site_id and u.undoes = d.id) as is_undone
    from decisions d where d.site_id = ${siteId} and d.id = ${id}`.execute(tx)
  return rows[0]!
}

/**
 * Decisions on comments of one thread, by their ids. The thread is held alone.
 * @param scope `alone`: those only; `consequences`: and what they caused
 */
export const listUndoables = async (
  tx: Tx,
  { siteId, threadId }: Place,
  { ids, scope }: { ids: readonly number[]; scope: 'alone' | 'consequences' },
): Promise<Undoable[]> => {
  const caused = sql`union all select * from decisions
    where site_id = ${siteId} and caused_by = any(${ids}::bigint[])`
  const { rows } = await sql<Omit<Undoable, 'comment'> & Undoable['comment']>`
    with wanted as (
      select * from decisions where site_id = ${siteId} and id = any(${ids}::bigint[])
      ${scope === 'consequences' ? caused : sql``}
    )
    select d.id, d.action, d.comment_id, d.from_status as "from", d.to_status as "to", d.before, d.after,
      d.caused_by, d.undoes, c.parent_id, c.status, c.published_at, c.flag_count, c.pinned, c.locked,
      a.erased_at is not null as is_erased, coalesce(c.edited_at > d.decided_at, false) as is_edited,
      array(select jsonb_build_object('id', l.id, 'undoes', l.undoes) from decisions l
        where l.site_id = d.site_id and l.comment_id = d.comment_id and l.id > d.id
          and l.action = d.action
        order by l.id desc) as later,
      exists (select from decisions cause where cause.site_id = d.site_id and cause.id = d.caused_by
        and cause.action = 'appeal') as is_answer
    from wanted d
    join comments c on c.site_id = d.site_id and c.thread_id = ${threadId} and c.id = d.comment_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    order by d.id`.execute(tx)
  return rows.map(({ parentId, status, publishedAt, flagCount, pinned, locked, ...decision }) => ({
    ...decision,
    comment: { id: decision.commentId, parentId, status, publishedAt, flagCount, pinned, locked },
  }))
}
