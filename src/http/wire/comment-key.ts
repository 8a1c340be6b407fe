import type { Caller } from '../../domain/people/caller.ts'
import { type CommentKey, readCommentId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Context } from '../../usecases/context.ts'
import { withMovedComment } from '../../usecases/with-moved-comment.ts'

/** The comment that a path names; refuses with `not_found` what no comment can be called. */
export const readCommentKey = (id: string): CommentKey => {
  const key = readCommentId(id)
  if (!key) throw new Refusal('not_found')
  return key
}

/** Comments that a body names. */
export const readCommentKeys = (pointer: string, ids: readonly string[]): CommentKey[] =>
  ids.map((id, place) => {
    const key = readCommentId(id)
    if (key) return key
    throw new Refusal('invalid_request', { [`${pointer}/${place}`]: 'is the id of no comment' })
  })

type OnComment = {
  readonly site: Site
  readonly caller: Caller
  readonly params: { readonly id: string }
}

/** Reads the comment that the path names, or does to it what hides nothing, wherever it is now. */
export const withComment = <T>(
  context: Context,
  { site, caller, params }: OnComment,
  act: (comment: CommentKey) => Promise<T>,
): Promise<T> =>
  withMovedComment(
    context,
    { site, caller, comment: readCommentKey(params.id), look: 'on_miss' },
    act,
  )

/** Does to it what may hide something. */
export const changingComment = <T>(
  context: Context,
  { site, caller, params }: OnComment,
  act: (comment: CommentKey) => Promise<T>,
): Promise<T> =>
  withMovedComment(
    context,
    { site, caller, comment: readCommentKey(params.id), look: 'first' },
    act,
  )
