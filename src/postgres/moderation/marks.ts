import { sql } from 'kysely'
import { isVisible } from '../comments/visible.ts'
import type { Tx } from '../connection/db.ts'

/** `pin` highlights a comment; `lock` closes it and the replies below it. */
export type Mark = 'pin' | 'lock'

export type MarkTransition = { readonly id: number; readonly was: boolean; readonly is: boolean }

type ThreadKey = { readonly siteId: number; readonly threadId: number }

/** @returns whether one of the changed comments is visible */
export const writeMarks = async (
  tx: Tx,
  { siteId, threadId }: ThreadKey,
  mark: Mark,
  transitions: readonly MarkTransition[],
): Promise<boolean> => {
  const column = columnOf(mark)
  const { rows } = await sql<{ isSeen: boolean }>`
    with written as (
      update comments c set ${column} = m.is_marked
      from unnest(${transitions.map(({ id }) => id)}::bigint[], ${transitions.map(({ is }) => is)}::boolean[])
        as m (id, is_marked)
      where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = m.id
        and ${column} <> m.is_marked
      returning c.status
    )
    select coalesce(bool_or(${isVisible('status')}), false) as is_seen from written`.execute(tx)
  return rows[0]!.isSeen
}

/** The mark of a comment; for a lock also those of all later comments, its replies among them. */
export const listMarks = async (
  tx: Tx,
  { siteId, threadId }: ThreadKey,
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
