import { sql } from 'kysely'
import { isVisible } from '../comments/visible.ts'
import type { Tx } from '../connection/db.ts'

/** What moderators put on a comment: in front of others, or closed with all below it. */
export type Mark = 'pin' | 'lock'

export type Marked = { readonly id: number; readonly was: boolean; readonly is: boolean }

type Place = { readonly siteId: number; readonly threadId: number }

/** @returns whether readers can see one of the comments */
export const writeMarks = async (
  tx: Tx,
  { siteId, threadId }: Place,
  mark: Mark,
  marks: readonly Marked[],
): Promise<boolean> => {
  const column = columnOf(mark)
  const { rows } = await sql<{ isSeen: boolean }>`
    with written as (
      update comments c set ${column} = m.is_marked
      from unnest(${marks.map(({ id }) => id)}::bigint[], ${marks.map(({ is }) => is)}::boolean[])
        as m (id, is_marked)
      where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = m.id
        and ${column} <> m.is_marked
      returning c.status
    )
    select coalesce(bool_or(${isVisible('status')}), false) as is_seen from written`.execute(tx)
  return rows[0]!.isSeen
}

/** The marks of a comment, and for a lock also of all later ones: what hangs below it is among them. */
export const listMarks = async (
  tx: Tx,
  { siteId, threadId }: Place,
  mark: Mark,
  id: number,
): Promise<{ id: number; parentId: number; isMarked: boolean }[]> => {
  const { rows } = await sql<{ id: number; parentId: number; isMarked: boolean }>`
    select id, parent_id, ${columnOf(mark)} as is_marked from comments
    where site_id = ${siteId} and thread_id = ${threadId}
      and ${mark === 'pin' ? sql`id = ${id}` : sql`id >= ${id}`}
    order by id`.execute(tx)
  return rows
}

const columnOf = (mark: Mark) => sql.ref(mark === 'pin' ? 'pinned' : 'locked')
