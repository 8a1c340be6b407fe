import { shadowVersion } from '../../domain/comment/shadow-view.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import {
  assertMayWrite,
  type Caller,
  callerIdOf,
  isAuthor,
  mayModerate,
} from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import {
  type CommentForWrite,
  findCommentForWrite,
  removeWithdrawn,
  withdrawComment,
} from '../../postgres/comments/comments.ts'
import { resolveFlags } from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { sendTogether } from '../../postgres/connection/pipeline.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { type IdempotencyKey, withdrawAnswers } from '../../postgres/service/idempotency.ts'
import { findThreadForWrite } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'

export type DeleteRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly idempotencyKey: IdempotencyKey | undefined
}

/**
 * Deletes a comment for its author or a moderator; a repeated deletion succeeds too. The author withdraws the
 * comment, also if a moderator deleted it before; a moderator's deletion is recorded as a decision. Shown
 * replies stay, below a tombstone.
 */
export const deleteComment = <Response>(
  context: Context,
  request: DeleteRequest,
  present: (deleted: { version: number | undefined }) => Response,
): Promise<Response> => {
  assertMayWrite(request.caller)
  if (request.caller.kind === 'nobody') throw new Refusal('login_required')
  const { site, caller, comment: key } = request
  const changes = { siteId: site.id, threadIds: [key.threadId], isHide: true }
  const remove = async (tx: Tx): Promise<Response> => {
    await acquireThreadLock(tx, { siteId: site.id, threadId: key.threadId }, 'exclusive')
    const thread = await findThreadForWrite(tx, site.id, key.threadId)
    const comment = await findCommentForWrite(tx, { siteId: site.id, ...key })
    if (!thread || !comment) throw new Refusal('not_found')
    assertMayDelete(caller, comment, thread.state !== 'hidden')
    const { status: from, threadId, id: commentId } = comment
    const at = { siteId: site.id, threadId }
    const isOwn = isAuthor(caller, comment.author)
    if (isOwn && comment.withdrawnAt === null) await withdraw(context, tx, site.id, comment)
    const { version } =
      from === 'deleted'
        ? { version: undefined }
        : await changeStatus(tx, comment, { siteId: site.id, to: 'deleted' })
    const removedFrom = from === 'deleted' ? comment.withdrawnFrom : from
    if (mayModerate(caller) && removedFrom !== null && removedFrom !== 'deleted') {
      const transition = { from: removedFrom, to: 'deleted', reason: null, note: null } as const
      const by = callerIdOf(caller)
      const decision = await insertDecision(tx, { ...at, commentId, ...transition, by })
      await sendTogether(tx, [
        resolveFlags(site.id, [{ threadId, commentId, decisionId: decision.id }]),
      ])
      if (!isOwn) await removeWithdrawn(tx, { ...at, id: commentId })
    }
    return present({ version: version ?? versionForAuthor(caller, comment, from) })
  }
  return withInvalidation(context, changes, () => runOnce(context, request.idempotencyKey, remove))
}

/** A late retry of a request about the comment must not show its text. */
const withdraw = async (
  context: Context,
  tx: Tx,
  siteId: number,
  comment: CommentForWrite,
): Promise<void> => {
  const { threadId, id, author } = comment
  const ids = context.idsOf(siteId)
  await withdrawComment(tx, { siteId, threadId, id })
  const named = { comment: ids.writeComment(comment), author: ids.write('author', author.id) }
  await withdrawAnswers(tx, { siteId, ...named })
}

/** The author of a shadowed comment gets a new version, as after any deletion. */
const versionForAuthor = (
  caller: Caller,
  { author, shadows, readAt, id }: CommentForWrite,
  from: Status,
) =>
  from !== 'deleted' && shadows.length > 0 && isAuthor(caller, author)
    ? shadowVersion(readAt, id)
    : undefined

const assertMayDelete = (
  caller: Caller,
  comment: CommentForWrite,
  threadIsVisible: boolean,
): void => {
  if (mayModerate(caller) || isAuthor(caller, comment.author)) return
  throw new Refusal(isVisible(comment.status) && threadIsVisible ? 'forbidden' : 'not_found')
}
