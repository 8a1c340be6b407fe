import { type RawBuilder, sql } from 'kysely'
import { type Caller, mayModerate } from '../../domain/people/caller.ts'
import { type CommentKey, homeThreadIdOf } from '../../domain/public-id.ts'
import { joinTally, threadIsVisible } from '../comments/rows.ts'
import type { Db } from '../connection/db.ts'

/**
 * Finds the current thread of a comment that moved away from the thread in its id. Undefined if the comment
 * did not move, does not exist, or is hidden from the caller: the caller cannot tell these cases apart.
 */
export const findMovedComment = async (
  db: Db,
  { siteId, comment, caller }: { siteId: number; comment: CommentKey; caller: Caller | 'check' },
): Promise<CommentKey | undefined> => {
  const { rows } = await sql<CommentKey>`
    select c.thread_id, c.id, c.home_thread_id
    from comments c join threads t on t.site_id = c.site_id and t.id = c.thread_id ${joinTally}
    where c.site_id = ${siteId} and c.id = ${comment.id} and c.home_thread_id = ${homeThreadIdOf(comment)}
      and (${mayBeKnown(caller)})`.execute(db)
  return rows[0]
}

/** A check knows the comments that it was asked about. */
const mayBeKnown = (caller: Caller | 'check'): RawBuilder<unknown> => {
  if (caller === 'check' || mayModerate(caller)) return sql`true`
  const isReadable = sql`k.shown and ${threadIsVisible}`
  return 'authorId' in caller ? sql`c.author_id = ${caller.authorId} or ${isReadable}` : isReadable
}
