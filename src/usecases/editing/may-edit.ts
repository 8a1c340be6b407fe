import { isVisible } from '../../domain/comment/status.ts'
import { isAuthor, mayModerate } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { isEditWindowOver, type Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import type { CommentForWrite } from '../../postgres/comments/comments.ts'
import type { ThreadForWrite } from '../../postgres/threads/threads.ts'
import type { EditRequest } from './edit.ts'

/** Refuses authors of locked comments, in locked threads, and after the edit window. */
export const assertMayChangeText = (
  site: Site,
  comment: CommentForWrite,
  { state }: ThreadForWrite,
): void => {
  if (state === 'locked' || comment.locked) throw new Refusal('thread_locked')
  if (isEditWindowOver(site, comment)) throw new Refusal('edit_window_over')
}

/** Refuses an edit of a comment that was read under the lock of its thread. */
export const assertMayEdit = (
  { site, caller, ifRevision }: EditRequest,
  comment: CommentForWrite,
  thread: ThreadForWrite,
): void => {
  if (!mayModerate(caller)) {
    const isOwn = isAuthor(caller, comment.author)
    const isTurnedDown = comment.status === 'rejected' && comment.shadows.length === 0
    const isAlive = comment.status !== 'deleted' && !isTurnedDown
    if (!isOwn && isVisible(comment.status) && thread.state !== 'hidden')
      throw new Refusal('forbidden')
    if (!isOwn || !isAlive) throw new Refusal('not_found')
    assertMayChangeText(site, comment, thread)
    if (isEditedByModerator(comment)) throw new Refusal('edit_window_over')
  }
  if (comment.isRedacted) throw new Refusal('comment_redacted')
  if (ifRevision !== undefined && ifRevision !== comment.revision)
    throw new Refusal('edit_conflict')
}

/** The edit of a moderator ends the edit window: an author cannot revert it. */
const isEditedByModerator = ({ editedBy, author }: CommentForWrite): boolean =>
  editedBy !== null && editedBy !== storedId('author', author.id)
