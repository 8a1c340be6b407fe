import type { Caller } from '../domain/people/caller.ts'
import type { CommentKey } from '../domain/public-id.ts'
import { Refusal } from '../domain/refusal.ts'
import type { Site } from '../domain/site/site.ts'
import { runQuery } from '../postgres/connection/transaction.ts'
import { findMovedComment } from '../postgres/threads/locations.ts'
import type { Context } from './context.ts'

type Following = {
  readonly site: Site
  readonly caller: Caller | 'check'
  readonly comment: CommentKey
  /**
   * `on_miss`: a comment that has not moved costs nothing more. `first`: for what may hide something,
   * because a repeated answer is announced too, and must be where the comment is.
   */
  readonly look: 'first' | 'on_miss'
}

/**
 * Does something with a comment where it is: in the thread that its id names, or in the one that it was
 * moved to, also when it is moved meanwhile.
 */
export const withMovedComment = async <T>(
  context: Context,
  { site, caller, comment, look }: Following,
  act: (comment: CommentKey) => Promise<T>,
): Promise<T> => {
  const find = async (): Promise<CommentKey> =>
    (await runQuery(findMovedComment(context.db, { siteId: site.id, comment, caller }))) ?? comment
  const actAt = async (place: CommentKey): Promise<T> => {
    try {
      return await act(place)
    } catch (error) {
      const now = isMiss(error) ? await find() : place
      if (now.threadId === place.threadId) throw error
      return actAt(now)
    }
  }
  return actAt(look === 'first' ? await find() : comment)
}

/** A version of the thread where it is now is none of the thread where it was. */
const isMiss = (error: unknown): boolean =>
  error instanceof Refusal && (error.code === 'not_found' || 'at_least' in error.faults)
