import { type Caller, mayModerate } from '../domain/people/caller.ts'
import type { CommentKey } from '../domain/public-id.ts'
import { Refusal } from '../domain/refusal.ts'
import type { Site } from '../domain/site/site.ts'
import type { MovedQuery } from '../postgres/threads/locations.ts'
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
    (await findMovedComment(context, { siteId: site.id, comment, caller })) ?? comment
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

/**
 * Finds the current thread of a comment that moved away from the thread in its id. Undefined if the comment
 * did not move, does not exist, or is hidden from the caller: the caller cannot tell these cases apart.
 */
export const findMovedComment = async (
  context: Context,
  { caller, ...query }: MovedQuery & { readonly caller: Caller | 'check' },
): Promise<CommentKey | undefined> => {
  const moved = await context.lookUps.findMovedComment(query)
  if (!moved) return undefined
  const { authorId, isReadable, ...current } = moved
  return isReadable || mayKnow(caller, authorId) ? current : undefined
}

/** A check knows the comments that it was asked about. */
const mayKnow = (caller: Caller | 'check', authorId: number): boolean =>
  caller === 'check' ||
  mayModerate(caller) ||
  ('authorId' in caller && caller.authorId === authorId)

/** A version of the comment's new thread is unknown to its old thread. */
const isMiss = (error: unknown): boolean =>
  error instanceof Refusal && (error.code === 'not_found' || 'at_least' in error.faults)
