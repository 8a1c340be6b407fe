import { sql } from 'kysely'
import { type CommentKey, homeThreadIdOf } from '../../domain/public-id.ts'
import { joinTally, threadIsVisible } from '../comments/rows.ts'
import type { Db } from '../connection/db.ts'
import { prepare } from '../connection/prepared.ts'

export type MovedQuery = { readonly siteId: number; readonly comment: CommentKey }

/** A comment that moved away from the thread in its id. */
export type MovedComment = CommentKey & {
  readonly authorId: number
  /** Whether every reader can read it. */
  readonly isReadable: boolean
}

/**
 * Finds the current threads of comments of one site that moved away from the threads in their ids.
 * @returns in the order of the keys; undefined for a comment that did not move or does not exist
 */
export const findMovedComments = async (
  db: Db,
  siteId: number,
  keys: readonly CommentKey[],
): Promise<(MovedComment | undefined)[]> => {
  const homeThreadIds = keys.map(homeThreadIdOf)
  const { rows } = await db.executeQuery(
    FIND_MOVED({ siteId, homeThreadIds, ids: keys.map(({ id }) => id) }),
  )
  const moved = new Map(rows.map((row) => [`${row.homeThreadId} ${row.id}`, row]))
  return keys.map((key) => moved.get(`${homeThreadIdOf(key)} ${key.id}`))
}

type Keys = {
  readonly siteId: number
  readonly homeThreadIds: readonly number[]
  readonly ids: readonly number[]
}

const FIND_MOVED = prepare<Keys, MovedComment>(
  (of) => sql`
    select c.thread_id, c.id, c.home_thread_id, c.author_id,
      k.shown and ${threadIsVisible} as is_readable
    from unnest(${of.homeThreadIds}::bigint[], ${of.ids}::bigint[]) as q (home_thread_id, id)
    join comments c on c.site_id = ${of.siteId} and c.id = q.id and c.home_thread_id = q.home_thread_id
    join threads t on t.site_id = c.site_id and t.id = c.thread_id ${joinTally}`,
)
