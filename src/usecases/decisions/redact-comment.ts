import type { Reason } from '../../domain/comment/status.ts'
import { checksJobKey } from '../../domain/job.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedCommentId } from '../../domain/stored-id.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import { resolveFlags } from '../../postgres/comments/flags.ts'
import {
  deleteWaitingAppeal,
  listAppealIds,
  listTexts,
  markRedacted,
  quotable,
  redactComments,
  redactNotes,
  redactRevision,
} from '../../postgres/comments/redaction.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { sendTogether } from '../../postgres/connection/pipeline.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { deleteJob } from '../../postgres/jobs/jobs.ts'
import { type Decision, insertDecision } from '../../postgres/moderation/decisions.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import { type IdempotencyKey, redactAnswers } from '../../postgres/service/idempotency.ts'
import { findThreadForWrite } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { changeStatus } from './change-status.ts'
import type { Decided } from './decision-request.ts'

export type RedactRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly comment: CommentKey
  /** An earlier revision; null for the whole comment. */
  readonly revision: number | null
  readonly reason: Reason
  /** The note stays for ever, also in the audit log. */
  readonly note: string | null
  readonly idempotencyKey: IdempotencyKey | undefined
}

/**
 * Removes the text of a comment, or of one earlier revision, from everywhere and for good. A redacted comment is
 * deleted, and no one can restore or edit it. Refuses with `comment_redacted` if the comment is redacted, and with
 * `decision_conflict` if the revision is the current text or empty already.
 */
export const redactComment = async <Answer>(
  context: Context,
  request: RedactRequest,
  present: (redacted: Decided) => Answer,
): Promise<Answer> => {
  const { site, comment, idempotencyKey } = request
  const changes = { siteId: site.id, threadIds: [comment.threadId], isHide: true }
  return withInvalidation(context, changes, () =>
    runOnce(context, idempotencyKey, async (tx) => present(await redact(context, tx, request))),
  )
}

const redact = async (context: Context, tx: Tx, request: RedactRequest): Promise<Decided> => {
  const { site, comment: key, revision } = request
  const siteId = site.id
  await acquireThreadLock(tx, { siteId, threadId: key.threadId }, 'exclusive')
  const thread = await findThreadForWrite(tx, siteId, key.threadId)
  const comment = await findCommentForWrite(tx, { siteId, ...key })
  if (!thread || !comment) throw new Refusal('not_found')
  if (comment.isRedacted) throw new Refusal('comment_redacted')
  const texts = await listTexts(tx, { siteId, ...key })
  if (revision !== null) assertIsEarlier(revision, comment, texts)
  const removed = revision === null ? texts.values() : [texts.get(revision)!]
  await redactQuotes(context, tx, request, { comment, quotes: quotable(removed) })
  return revision === null
    ? redactWhole(tx, request, comment)
    : { decision: await redactEarlier(tx, request, { comment, revision }), version: undefined }
}

/** Readers see the current text, so it goes only with the whole comment, or becomes an earlier one by an edit. */
const assertIsEarlier = (
  revision: number,
  { revision: current }: CommentForWrite,
  texts: ReadonlyMap<number, string>,
): void => {
  const refuse = (why: string) => {
    throw new Refusal('decision_conflict', { '/revision': why })
  }
  if (revision === current) refuse('is the current text: edit it, or redact the whole comment')
  if (revision > current) refuse('does not exist')
  if (!texts.has(revision)) refuse('is redacted already')
}

/** Empties the stored responses first: the notes of decisions tell which of them have a note. */
const redactQuotes = async (
  context: Context,
  tx: Tx,
  { site, revision }: RedactRequest,
  { comment, quotes }: { comment: CommentForWrite; quotes: readonly string[] },
): Promise<void> => {
  const { threadId, id, author } = comment
  const at = { siteId: site.id, threadId, id }
  const ids = context.idsOf(site.id)
  const appealIds = await listAppealIds(tx, at)
  await redactAnswers(tx, {
    siteId: site.id,
    id,
    comment: ids.writeComment(comment),
    author: ids.write('author', author.id),
    appealIds: appealIds.map((appealId) => ids.write('appeal', appealId)),
    revision,
    quotes,
  })
  await redactNotes(tx, { ...at, authorId: author.id, quotes })
}

/** The job of the checks ends, because they have nothing to judge. */
const redactWhole = async (
  tx: Tx,
  request: RedactRequest,
  comment: CommentForWrite,
): Promise<Decided> => {
  const { threadId, id, status: from } = comment
  const siteId = request.site.id
  const at = { siteId, threadId, id }
  await redactComments(tx, { siteId, threadId, ids: [id] })
  await markRedacted(tx, at)
  await deleteWaitingAppeal(tx, at)
  await deleteJob(tx, checksJobKey(at))
  const decision = await record(tx, request, comment)
  await sendTogether(tx, [
    resolveFlags(siteId, [{ threadId, commentId: id, decisionId: decision.id }]),
  ])
  if (from === 'deleted') return { decision, version: undefined }
  const { version } = await changeStatus(tx, comment, { siteId, to: 'deleted' })
  const { by, reason } = decision
  const origin = { siteId, by, reason, at: decision.at, causedBy: decision.id }
  await insertDecision(tx, { ...origin, threadId, commentId: id, from, to: 'deleted' })
  return { decision, version }
}

const redactEarlier = async (
  tx: Tx,
  request: RedactRequest,
  { comment, revision }: { comment: CommentForWrite; revision: number },
): Promise<Decision> => {
  const { threadId, id } = comment
  await redactRevision(tx, { siteId: request.site.id, threadId, id, revision })
  return record(tx, request, comment)
}

/** Records the redaction in the moderation log and in the audit log. */
const record = async (
  tx: Tx,
  { site, administrator, revision, reason, note }: RedactRequest,
  comment: CommentForWrite,
): Promise<Decision> => {
  const { threadId, id: commentId } = comment
  const origin = { siteId: site.id, by: callerIdOf(administrator) }
  const why = { reason, note }
  await insertAuditEntry(tx, {
    ...origin,
    action: 'comment_redacted',
    subject: storedCommentId(comment),
    after: { revision, ...why },
  })
  const redaction = { action: 'redact', after: { revision } } as const
  return insertDecision(tx, { ...origin, ...why, ...redaction, threadId, commentId })
}
