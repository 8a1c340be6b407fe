import type { Comment } from '../../domain/comment/comment.ts'
import { asPublished, shadowVersion } from '../../domain/comment/shadow-view.ts'
import type { Verdict } from '../../domain/screening/finding.ts'
import { type CommentForWrite, shadowComment } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { changeStatus } from '../decisions/change-status.ts'

type ShadowedEdit = {
  readonly siteId: number
  readonly before: CommentForWrite
  readonly edited: CommentForWrite
  readonly judged: { readonly verdict: Verdict; readonly isShadowed: boolean }
}

/**
 * Stores an edit of a comment that is shadowed before or after it. Other readers cannot see the comment;
 * its author gets the response to an ordinary edit.
 */
export const editShadowed = async (
  tx: Tx,
  { siteId, before, edited, judged }: ShadowedEdit,
): Promise<{ comment: Comment; version: number }> => {
  const { threadId, id } = before
  const { verdict: to, isShadowed } = judged
  const { version } =
    before.status === to ? { version: undefined } : await changeStatus(tx, before, { siteId, to })
  const replies = await shadowComment(tx, { siteId, threadId, id }, isShadowed)
  const comment = isShadowed
    ? { ...asPublished(edited), replyCount: edited.replyCount + replies }
    : { ...edited, status: 'pending' as const }
  return { comment, version: version ?? shadowVersion(edited.editedAt!, id) }
}
