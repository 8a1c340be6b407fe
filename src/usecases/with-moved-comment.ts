import type { Caller } from '../domain/people/caller.ts'
import type { CommentKey } from '../domain/public-id.ts'
import { Refusal } from '../domain/refusal.ts'
import type { Site } from '../domain/site/site.ts'
import { runQuery } from '../postgres/connection/transaction.ts'
import { findMovedComment } from '../postgres/threads/locations.ts'
import type { Context } from './context.ts'

type MovableComment = {
  readonly site: Site
  readonly caller: Caller | 'check'
  readonly comment: CommentKey
  /**
   * When to look up the current thread. `on_miss`: an unmoved comment costs no query. `first`: for a
   * write that may hide the comment; its invalidation must name the current thread, even if the write
   * only repeats a response.
   */
  readonly look: 'first' | 'on_miss'
}

/**
 * Runs a use case on a comment in its current thread: the thread that the comment's id names, or the one
 * that it moved to, even if it moves meanwhile.
 */
export const withMovedComment = async <T>(
  context: Context,
  { site, caller, comment, look }: MovableComment,
  run: (comment: CommentKey) => Promise<T>,
): Promise<T> => {
  const findCurrent = async (): Promise<CommentKey> =>
    (await runQuery(findMovedComment(context.db, { siteId: site.id, comment, caller }))) ?? comment
  const runAt = async (key: CommentKey): Promise<T> => {
    try {
      return await run(key)
    } catch (error) {
      const current = isMiss(error) ? await findCurrent() : key
      if (current.threadId === key.threadId) throw error
      return runAt(current)
    }
  }
  return runAt(look === 'first' ? await findCurrent() : comment)
}

/** A version of the comment's new thread is unknown to its old thread. */
const isMiss = (error: unknown): boolean =>
  error instanceof Refusal && (error.code === 'not_found' || 'at_least' in error.faults)
