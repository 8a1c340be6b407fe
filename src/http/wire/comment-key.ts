import type { Caller } from '../../domain/people/caller.ts'
import type { CommentKey, PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Context } from '../../usecases/context.ts'
import { withMovedComment } from '../../usecases/with-moved-comment.ts'

/** Reads the comment id of a path. Refuses a malformed id with `not_found`. */
export const readCommentKey = (ids: PublicIds, id: string): CommentKey => {
  const key = ids.readComment(id)
  if (!key) throw new Refusal('not_found')
  return key
}

/** Reads the comment ids of a body. */
export const readCommentKeys = (
  ids: PublicIds,
  pointer: string,
  listed: readonly string[],
): CommentKey[] =>
  listed.map((id, place) => {
    const key = ids.readComment(id)
    if (key) return key
    throw new Refusal('invalid_request', { [`${pointer}/${place}`]: 'is the id of no comment' })
  })

type OnComment = {
  readonly site: Site
  readonly ids: PublicIds
  readonly caller: Caller
  readonly params: { readonly id: string }
}

/** Runs a read or a write that hides nothing on the path's comment, also if the comment moved. */
export const withComment = <T>(
  context: Context,
  { site, ids, caller, params }: OnComment,
  act: (comment: CommentKey) => Promise<T>,
): Promise<T> =>
  withMovedComment(
    context,
    { site, caller, comment: readCommentKey(ids, params.id), look: 'on_miss' },
    act,
  )

/** Runs a write that can hide the path's comment, also if the comment moved. */
export const changingComment = <T>(
  context: Context,
  { site, ids, caller, params }: OnComment,
  act: (comment: CommentKey) => Promise<T>,
): Promise<T> =>
  withMovedComment(
    context,
    { site, caller, comment: readCommentKey(ids, params.id), look: 'first' },
    act,
  )
