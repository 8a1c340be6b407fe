import { sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'

/** Where a comment was, or is: by the ids that the wire has for it. */
export type CommentLocation = { readonly article_id: string; readonly parent_id: string | null }

/** A move that is to be taken back, or a merge, which moved many. */
export type MoveDecision = {
  readonly id: number
  /** Null: a merge. */
  readonly commentId: number | null
  readonly subject: string | null
  readonly before: CommentLocation & { readonly state?: string }
  readonly after: CommentLocation & { readonly state?: string }
  /** The threads of the articles before and after. */
  readonly from: number
  readonly to: number
}

export const findMoveDecision = async (
  db: Db,
  siteId: number,
  id: number,
): Promise<MoveDecision | undefined> => {
  const { rows } = await sql<MoveDecision>`
    select d.id, d.comment_id, d.subject, d.before, d.after, f.id as "from", t.id as "to"
    from decisions d
    join threads f on f.site_id = d.site_id and f.article_id = d.before ->> 'article_id'
    join threads t on t.site_id = d.site_id and t.article_id = d.after ->> 'article_id'
    where d.site_id = ${siteId} and d.id = ${id} and d.action = 'move'`.execute(db)
  return rows[0]
}

/** Whether a decision was taken back, or its comment has been moved by itself since. */
export const isMoveSuperseded = async (
  tx: Tx,
  siteId: number,
  { id, commentId }: Pick<MoveDecision, 'id' | 'commentId'>,
): Promise<boolean> => {
  const { rows } = await sql<{ is: boolean }>`
    select exists (select from decisions where site_id = ${siteId} and undoes = ${id})
      or exists (select from decisions where site_id = ${siteId} and comment_id = ${commentId}
        and id > ${id} and action = 'move') as "is"`.execute(tx)
  return rows[0]!.is
}

/** What a merge brought and nobody has moved since: the roots that are still where it left them. */
export const listMergedRoots = async (
  tx: Tx,
  siteId: number,
  { id, to }: Pick<MoveDecision, 'id' | 'to'>,
): Promise<{ id: number; commentId: number }[]> => {
  const { rows } = await sql<{ id: number; commentId: number }>`
    select d.id, d.comment_id from decisions d
    -- "offset 0" keeps this a look-up per decision, whatever the planner believes of a thread that is new
    cross join lateral (
      select parent_id from comments
      where site_id = ${siteId} and thread_id = ${to} and id = d.comment_id offset 0
    ) c
    where c.parent_id = 0 and d.site_id = ${siteId} and d.caused_by = ${id} and d.action = 'move'
      and d.id = (select max(later.id) from decisions later where later.site_id = d.site_id
        and later.comment_id = d.comment_id and later.action = 'move')
    order by d.comment_id`.execute(tx)
  return rows
}
