import { type RawBuilder, sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { DecisionAction, LaterDecision } from '../../domain/moderation/decision.ts'
import type { Decidable } from '../comments/branches.ts'
import { staysDeleted } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'
import { keyOf } from '../threads/article-ids.ts'
import { type Decision, type Difference, decisionColumns } from './decisions.ts'

/** A decision on a comment to undo, with the comment as it is now. */
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
  /** No moderator can restore the comment. */
  readonly staysDeleted: boolean
  /** The text was edited after the decision. */
  readonly isEdited: boolean
  /** Later decisions of the same kind on the comment, latest first. */
  readonly later: readonly LaterDecision[]
  /** The decision follows from the answer to an appeal, which is final. */
  readonly isAnswer: boolean
}

/** The decisions after `d` that `isOfSubject` selects, latest first. */
const laterDecisions = (isOfSubject: RawBuilder<unknown>) => sql`
  array(select jsonb_build_object('id', l.id, 'undoes', l.undoes) from decisions l
    where l.site_id = d.site_id and l.id > d.id and ${isOfSubject} order by l.id desc)`

/** The action of a decision, and the present thread of its comment. */
export const findUndoLocation = async (
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

const changesSameFields = sql`exists (
  select from jsonb_object_keys(d.after) as k (name) where l.after ? k.name)`

/** The later decisions that an undo of a decision on a thread, a ban or a merge depends on. */
const OF_SAME_SUBJECT = {
  thread: sql`l.action = 'thread' and l.thread_id = d.thread_id and ${changesSameFields}`,
  ban: sql`l.action in ('ban', 'unban') and l.subject = d.subject`,
  unban: sql`l.action in ('ban', 'unban') and l.subject = d.subject`,
  ban_update: sql`l.action = 'ban_update' and l.subject = d.subject and ${changesSameFields}`,
  move: sql`l.undoes = d.id`,
}

/** A decision on a thread or a ban, and the later ones that change the same of it. */
export type SubjectDecision = {
  readonly action: DecisionAction
  readonly subject: string
  readonly before: Difference | null
  readonly after: Difference | null
  readonly later: readonly LaterDecision[]
}

/** The caller locks the thread or the ban first, so that no second undo runs beside this one. */
export const findSubjectDecision = async (
  tx: Tx,
  siteId: number,
  { id, action }: { id: number; action: keyof typeof OF_SAME_SUBJECT },
): Promise<SubjectDecision> => {
  const { rows } = await sql<SubjectDecision>`
    select d.action, d.subject, d.before, d.after, ${laterDecisions(OF_SAME_SUBJECT[action])} as later
    from decisions d where d.site_id = ${siteId} and d.id = ${id}`.execute(tx)
  return rows[0]!
}

/**
 * Decisions on comments of one thread, by their ids. The caller holds the exclusive thread lock.
 * @param scope `alone`: these decisions; `consequences`: also the decisions that they caused
 */
export const listUndoables = async (
  tx: Tx,
  { siteId, threadId }: { siteId: number; threadId: number },
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
      d.caused_by, d.undoes, c.parent_id, c.status, c.published_at, c.flag_count, c.shadowed,
      c.pinned, c.locked,
      ${staysDeleted} as stays_deleted, coalesce(c.edited_at > d.decided_at, false) as is_edited,
      ${laterDecisions(sql`l.comment_id = d.comment_id and l.action = d.action`)} as later,
      exists (select from decisions cause where cause.site_id = d.site_id and cause.id = d.caused_by
        and cause.action = 'appeal') as is_answer
    from wanted d
    -- "offset 0" keeps this a look-up per decision: the planner has no statistics for a new thread
    cross join lateral (
      select * from comments where site_id = ${siteId} and thread_id = ${threadId} and id = d.comment_id
      offset 0
    ) c
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    order by d.id`.execute(tx)
  return rows.map(
    ({ parentId, status, publishedAt, flagCount, shadowed, pinned, locked, ...decision }) => ({
      ...decision,
      comment: {
        id: decision.commentId,
        parentId,
        status,
        publishedAt,
        flagCount,
        shadowed,
        pinned,
        locked,
      },
    }),
  )
}

/** The article and the parent of a comment, by their ids in the API. */
export type CommentLocation = { readonly article_id: string; readonly parent_id: string | null }

/** The state of the emptied thread, and the settings of the target that a merge changed. */
type MergedSettings = { readonly state?: string; readonly into?: Record<string, unknown> }

/** A move or a merge to undo. */
export type MoveDecision = {
  readonly id: number
  /** Null for a merge. */
  readonly commentId: number | null
  readonly subject: string | null
  readonly before: CommentLocation & MergedSettings
  readonly after: CommentLocation & MergedSettings
  /** The threads before and after. */
  readonly from: number
  readonly to: number
  readonly batchId: number | null
  /** A merge moved comments. */
  readonly hasMoved: boolean
}

/**
 * A thread that became an alias since the decision has its row under the same article id; if it got another id,
 * the row of the former one is bare.
 */
export const findMoveDecision = async (
  db: Db,
  siteId: number,
  id: number,
): Promise<MoveDecision | undefined> => {
  const { rows } = await sql<MoveDecision>`
    select d.id, d.comment_id, d.subject, d.before, d.after, d.batch_id, f.id as "from", t.id as "to",
      exists (select from decisions c where c.site_id = d.site_id and c.caused_by = d.id) as has_moved
    from decisions d
    join threads fa on fa.site_id = d.site_id and fa.article_id = ${keyOf(sql`(d.before ->> 'article_id')`)}
    join threads f on f.site_id = d.site_id and f.id = case when fa.is_bare then fa.alias_of else fa.id end
    join threads ta on ta.site_id = d.site_id and ta.article_id = ${keyOf(sql`(d.after ->> 'article_id')`)}
    join threads t on t.site_id = d.site_id and t.id = case when ta.is_bare then ta.alias_of else ta.id end
    where d.site_id = ${siteId} and d.id = ${id} and d.action = 'move'`.execute(db)
  return rows[0]
}

/** The decision of a batch on a merge or its undo, which causes the decisions on the roots. */
export type MergeDecision = Decision & Pick<MoveDecision, 'before' | 'after'>

export const findMergeOfBatch = async (
  db: Db,
  siteId: number,
  batchId: number,
): Promise<MergeDecision | undefined> => {
  const { rows } = await sql<MergeDecision>`
    select ${decisionColumns}, null::bigint as undone_by, null::text as asked_by from decisions
    where site_id = ${siteId} and batch_id = ${batchId} and action = 'move' and comment_id is null`.execute(
    db,
  )
  return rows[0]
}

/** The ids of a batch's decisions on roots, in order. */
export const listRootMoves = async (
  db: Db,
  siteId: number,
  { batchId, afterId, limit }: { batchId: number; afterId: number; limit: number },
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select id from decisions
    where site_id = ${siteId} and batch_id = ${batchId} and action = 'move'
      and comment_id is not null and id > ${afterId}
    order by id limit ${limit}`.execute(db)
  return rows.map(({ id }) => id)
}

/** Whether a comment was locked after a decision, and still is. */
export const isLockedSince = async (
  tx: Tx,
  siteId: number,
  { commentId, decisionId }: { commentId: number; decisionId: number },
): Promise<boolean> => {
  const { rows } = await sql<{ is: boolean }>`
    select exists (select from decisions d where d.site_id = ${siteId} and d.comment_id = ${commentId}
      and d.id > ${decisionId} and d.action = 'lock' and d.after = '{"locked": true}') as "is"`.execute(
    tx,
  )
  return rows[0]!.is
}
