import type { PolicyInForce } from '../../cache/policies.ts'
import type { Comment } from '../../domain/comment/comment.ts'
import { shadowVersion } from '../../domain/comment/shadow-view.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import { ASK_MS, checksJob, checksJobKey } from '../../domain/job.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import { assertMayWrite, type Caller, isAuthor, mayModerate } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { checkTimingOf } from '../../domain/screening/check-facts.ts'
import { readRendering } from '../../domain/screening/rendering.ts'
import { assertIsOpen, type Site } from '../../domain/site/site.ts'
import {
  type CommentForWrite,
  findCommentForWrite,
  restoreWithdrawn,
} from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { enqueueJob, rescheduleJob } from '../../postgres/jobs/jobs.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import { insertArrivals } from '../../postgres/screening/arrivals.ts'
import { updateJudgement } from '../../postgres/screening/checks.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { findThreadForWrite, type ThreadForWrite } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { hashRendering } from '../policies/count-facts.ts'
import { runOnce } from '../run-once.ts'
import { judgeText } from './judge-text.ts'
import { assertMayChangeText } from './may-edit.ts'

export type RestoreRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly writerIdentity: WriterIdentity | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

export type Restored = { readonly comment: Comment; readonly version: number | undefined }

/**
 * Restores a comment that its author deleted, for the author, within the edit window. The comment is judged
 * again, as an edit is, and never becomes more public than it was. What a moderator turned down stays deleted.
 */
export const restoreComment = async <Response>(
  context: Context,
  request: RestoreRequest,
  present: (restored: Restored) => Response,
): Promise<Response> => {
  const { site, caller, comment, idempotencyKey } = request
  assertMayWrite(caller)
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (!mayModerate(caller)) assertIsOpen(site)
  const policy = await context.policies.find(site)
  const changes = { siteId: site.id, threadIds: [comment.threadId], isHide: false }
  return withInvalidation(context, changes, () =>
    runOnce(context, idempotencyKey, async (tx) => present(await restore(tx, request, policy))),
  )
}

const restore = async (
  tx: Tx,
  request: RestoreRequest,
  policy: PolicyInForce,
): Promise<Restored> => {
  const { site, comment: key } = request
  const siteId = site.id
  await acquireThreadLock(tx, { siteId, threadId: key.threadId }, 'exclusive')
  const thread = await findThreadForWrite(tx, siteId, key.threadId)
  const comment = await findCommentForWrite(tx, { siteId, ...key })
  if (!thread || !comment) throw new Refusal('not_found')
  const before = assertMayRestore(request, comment, thread)
  const { threadId, id, shadowed } = comment
  const at = { siteId, threadId, id }
  const to =
    isVisible(before) && !(await mayBePublic(tx, request, { comment, thread, policy }))
      ? 'pending'
      : before
  await restoreWithdrawn(tx, at)
  // The job of a comment that waited for its checks when it was withdrawn has waited for this.
  if (to === before) await rescheduleJob(tx, checksJobKey(at), ASK_MS)
  const staysShadowed = shadowed && to === 'rejected'
  const { version } = await changeStatus(tx, comment, { siteId, to, shadowed: staysShadowed })
  const isShown = isVisible(to) || staysShadowed
  return {
    comment: { ...comment, status: isShown ? 'approved' : 'pending' },
    version: version ?? (isShown ? shadowVersion(comment.readAt, id) : undefined),
  }
}

/** @returns the status before the withdrawal */
const assertMayRestore = (
  { site, caller }: RestoreRequest,
  comment: CommentForWrite,
  thread: ThreadForWrite,
): Status => {
  const { withdrawnAt, withdrawnFrom: from, isErased, shadowed, body } = comment
  const isOwn = isAuthor(caller, comment.author)
  if (isOwn && comment.isRedacted) throw new Refusal('comment_redacted')
  const isTurnedDown = from === 'deleted' || (from === 'rejected' && !shadowed)
  const isWithdrawn = withdrawnAt !== null && !isErased && body !== ''
  if (!isOwn || !isWithdrawn || from === null || isTurnedDown) throw new Refusal('not_found')
  if (!mayModerate(caller)) assertMayChangeText(site, comment, thread)
  return from
}

type Restorable = {
  readonly comment: CommentForWrite
  readonly thread: ThreadForWrite
  readonly policy: PolicyInForce
}

/**
 * Whether the rules, bans and modes of now publish the text, and the comment above it is public. A check that the
 * site has is asked anew, and may hold or release the comment later.
 */
const mayBePublic = async (
  tx: Tx,
  { site, caller, writerIdentity }: RestoreRequest,
  { comment, thread, policy }: Restorable,
): Promise<boolean> => {
  const { threadId, id, parentId, body, bodyHtml } = comment
  const at = { siteId: site.id, threadId, id }
  const parent = parentId === 0 ? undefined : await findCommentForWrite(tx, { ...at, id: parentId })
  if (parentId !== 0 && !isVisible(parent!.status)) return false
  if (mayModerate(caller)) return true
  const [bans = []] = await findBansOn(tx, site.id, [writerIdentity])
  const published = { ...comment, status: 'approved' as const }
  const rendering = readRendering(body, bodyHtml)
  const text = { rendering, hashes: hashRendering(rendering) }
  const judged = await judgeText(tx, { site, comment: published, thread, policy, bans, ...text })
  await tx.executeQuery(insertArrivals(site.id, [judged.arrival]))
  const { trace, facts, verdict, isShadowed } = judged
  await updateJudgement(tx, at, judged)
  if (checkTimingOf(trace, facts) !== 'never')
    await enqueueJob(tx, checksJob(site.id, { threadId, id }, true))
  return isVisible(verdict) && !isShadowed
}
