import { type CommentKey, readCommentId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'

/** The comment that a path names; refuses with `not_found` what no comment can be called. */
export const readCommentKey = (id: string): CommentKey => {
  const key = readCommentId(id)
  if (!key) throw new Refusal('not_found')
  return key
}
