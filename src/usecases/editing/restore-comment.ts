import type { Comment } from '../../domain/comment/comment.ts'
import { shadowVersion } from '../../domain/comment/shadow-view.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import { assertMayWrite, type Caller, isAuthor, mayModerate } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { assertIsOpen, type Site } from '../../domain/site/site.ts'
import {
  type CommentForWrite,
  findCommentForWrite,
  unwithdrawComment,
} from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { findThreadForWrite, type ThreadForWrite } from '../../postgres/threads/threads.ts'
import { findBanEffects } from '../bans/ban-effects.ts'
import type { Context } from '../context.ts'
import { changeStatuses } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'

export type RestoreRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly writerIdentity: WriterIdentity | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

export type Restored = { readonly comment: Comment; readonly version: number | undefined }

/**
 * Restores a comment that its author deleted, for the author, within the edit window. The comment gets the
 * status that it had, or waits for a moderator if one holds the author's comments now. What a moderator
 * turned down stays deleted.
 */
export const restoreComment = <Response>(
  context: Context,
  request: RestoreRequest,
  present: (restored: Restored) => Response,
): Promise<Response> => {
  const { site, caller, comment, idempotencyKey } = request
  assertMayWrite(caller)
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (!mayModerate(caller)) assertIsOpen(site)
  const changes = { siteId: site.id, threadIds: [comment.threadId], isHide: false }
  return withInvalidation(context, changes, () =>
    runOnce(context, idempotencyKey, async (tx) => present(await restore(tx, request))),
  )
}

const restore = async (tx: Tx, request: RestoreRequest): Promise<Restored> => {
  const { site, caller, comment: key, writerIdentity } = request
  const siteId = site.id
  await acquireThreadLock(tx, { siteId, threadId: key.threadId }, 'exclusive')
  const thread = await findThreadForWrite(tx, siteId, key.threadId)
  const comment = await findCommentForWrite(tx, { siteId, ...key })
  if (!thread || !comment) throw new Refusal('not_found')
  const { threadId, id, status, shadowed, withdrawnFrom: from } = comment
  assertMayRestore(request, comment, thread)
  const bans = await findBanEffects(tx, siteId, writerIdentity)
  const isHeld = bans.length > 0 || (thread.moderation ?? site.moderation) === 'pre'
  const to = isVisible(from!) && isHeld && !mayModerate(caller) ? 'pending' : from!
  await unwithdrawComment(tx, { siteId, threadId, id })
  const transition = { id, from: status, to, shadowed: shadowed && to === 'rejected' }
  const { version } = await changeStatuses(tx, { siteId, threadId }, [transition])
  const isShown = isVisible(to) || transition.shadowed
  return {
    comment: { ...comment, status: isShown ? 'approved' : 'pending' },
    version: version ?? (isShown ? shadowVersion(comment.readAt, id) : undefined),
  }
}

const assertMayRestore = (
  { site, caller }: RestoreRequest,
  comment: CommentForWrite,
  thread: ThreadForWrite,
): void => {
  const { withdrawnAt, withdrawnFrom, isErased, shadowed, body } = comment
  const isWithdrawn = withdrawnAt !== null && !isErased && body !== ''
  if (!isAuthor(caller, comment.author) || !isWithdrawn || isTurnedDown(withdrawnFrom, shadowed))
    throw new Refusal('not_found')
  if (mayModerate(caller)) return
  if (thread.state === 'locked' || comment.locked) throw new Refusal('thread_locked')
  const ageMs = Date.parse(comment.readAt) - Date.parse(comment.createdAt)
  if (ageMs > site.editWindowSeconds * 1000) throw new Refusal('edit_window_over')
}

/** Null: the comment was withdrawn before the service stored its status. */
const isTurnedDown = (from: Status | null, shadowed: boolean): boolean =>
  from === null || from === 'deleted' || (from === 'rejected' && !shadowed)
