import { descendantsOf } from '../../domain/comment/branch.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import { type AppealOutcome, buildStatement } from '../../domain/moderation/statement.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import { listBranchNodes } from '../../postgres/comments/branches.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import { resolveFlags } from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { sendTogether } from '../../postgres/connection/pipeline.ts'
import { acquireThreadLock, runQuery } from '../../postgres/connection/transaction.ts'
import {
  type Appeal,
  findAppeal,
  answerAppeal as giveAnswer,
} from '../../postgres/moderation/appeals.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { findStated, type StatedComment } from '../../postgres/moderation/statements.ts'
import { listUndoables, type Undoable } from '../../postgres/moderation/undo.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { changeStatus, type ThreadKey } from '../decisions/change-status.ts'
import { assertSeen, refusalOf } from '../decisions/decision-request.ts'
import { undoOutcomeOf, undoStatuses } from '../decisions/undo-in-thread.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'

type AnswerRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly appealId: number
  readonly outcome: AppealOutcome
  /** The revision that the moderator saw. Required to overturn, which publishes the comment. */
  readonly revision: number | undefined
  /** A note to the author. */
  readonly note: string | null
  readonly idempotencyKey: IdempotencyKey | undefined
}

export type AnsweredAppeal = { readonly appeal: Appeal; readonly version: number | undefined }

/**
 * Answers an appeal, finally. The moderator must not be the author, and for a week not the decider. `overturned`
 * publishes the text that the moderator saw and restores the replies that went along; `upheld` rejects a
 * comment that is only held. Of two concurrent answers one succeeds; the other is refused with
 * `decision_conflict`, as are upholding a published comment and publishing another text.
 */
export const answerAppeal = async <Answer>(
  context: Context,
  request: AnswerRequest,
  present: (answered: AnsweredAppeal) => Answer,
): Promise<Answer> => {
  const { site, appealId, outcome, revision, idempotencyKey } = request
  if (outcome === 'overturned') assertSeen(revision)
  const appeal = await runQuery(findAppeal(context.db, { siteId: site.id, id: appealId }))
  if (!appeal) throw new Refusal('not_found')
  const { threadId } = appeal.comment
  return withInvalidation(context, { siteId: site.id, threadIds: [threadId], isHide: false }, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      await acquireThreadLock(tx, { siteId: site.id, threadId }, 'exclusive')
      return present(await answer(tx, request, appeal))
    }),
  )
}

const answer = async (tx: Tx, request: AnswerRequest, appeal: Appeal): Promise<AnsweredAppeal> => {
  const { site, moderator, outcome, note } = request
  const siteId = site.id
  const { threadId, id: commentId } = appeal.comment
  const comment = await findCommentForWrite(tx, { siteId, threadId, id: commentId })
  const stated = await findStated(tx, siteId, appeal.comment)
  // The comment was moved to another thread since.
  if (!comment || !stated) throw new Refusal('decision_conflict')
  if (request.revision !== undefined && request.revision !== comment.revision)
    throw refusalOf('changed_since')
  const by = callerIdOf(moderator)
  const answered = await giveAnswer(tx, { siteId, id: appeal.id, outcome, note, by })
  if (!answered) throw new Refusal('decision_conflict')
  assertImpartial(by, appeal, stated)
  const to = statusAfter(outcome, comment, stated)
  const shared = { siteId, by, note, threadId, commentId }
  const decision = await insertDecision(tx, {
    ...shared,
    action: 'appeal',
    before: { outcome: null },
    after: { outcome },
  })
  await sendTogether(tx, [resolveFlags(siteId, [{ threadId, commentId, decisionId: decision.id }])])
  if (to === comment.status) return { appeal: answered, version: undefined }
  const { version } = await changeStatus(tx, comment, { siteId, to })
  await insertDecision(tx, { ...shared, from: comment.status, to, causedBy: decision.id })
  if (outcome === 'upheld' || stated.decisionId === null) return { appeal: answered, version }
  const replies = await undoStatuses(
    tx,
    { siteId, threadId },
    {
      targets: await listRepliesAlong(
        tx,
        { siteId, threadId },
        { commentId, decisionId: stated.decisionId },
      ),
      cascaded: [],
      origin: { siteId, by, note },
      causedBy: decision.id,
    },
  )
  return { appeal: answered, version: replies.version ?? version }
}

/**
 * The decisions that changed replies along with a comment and that can be undone. The decision on the comment
 * caused them, or has the same cause.
 */
const listRepliesAlong = async (
  tx: Tx,
  thread: ThreadKey,
  { commentId, decisionId }: { commentId: number; decisionId: number },
): Promise<Undoable[]> => {
  const list = (id: number) => listUndoables(tx, thread, { ids: [id], scope: 'consequences' })
  const own = await list(decisionId)
  const cause = own.find(({ id }) => id === decisionId)?.causedBy ?? null
  const found = cause === null ? own : [...own, ...(await list(cause))]
  const along = found.filter(
    (one) =>
      one.action === 'status' && one.commentId > commentId && undoOutcomeOf(one) === 'changed',
  )
  if (along.length === 0) return []
  const nodes = await listBranchNodes(tx, thread, commentId)
  const below = new Set(descendantsOf(commentId, nodes).map(({ id }) => id))
  return along.filter((one) => below.has(one.commentId))
}

/** A site with one moderator must be able to answer, and others have had a week. */
const OWN_ANSWER_AFTER_MS = 604_800_000

/**
 * Refuses the author of the comment, and for a week the moderator who made the decision.
 */
const assertImpartial = (by: string, appeal: Appeal, { decision, readAt }: StatedComment): void => {
  const isAuthor = by === storedId('author', appeal.authorId)
  const isDecider = by === appeal.decidedBy || by === decision?.by
  const waitedMs = Date.parse(readAt) - Date.parse(appeal.at)
  if (!isAuthor && (!isDecider || waitedMs >= OWN_ANSWER_AFTER_MS)) return
  throw new Refusal('forbidden', { authorization: 'somebody else must answer this appeal' })
}

const statusAfter = (
  outcome: AppealOutcome,
  comment: CommentForWrite,
  stated: StatedComment,
): Status => {
  const { standing, decidedBy } = buildStatement(stated)
  if (outcome === 'overturned') {
    if (decidedBy === 'author' || comment.staysDeleted) throw new Refusal('move_not_allowed')
    return 'approved'
  }
  if (isVisible(comment.status)) throw new Refusal('decision_conflict')
  return standing === 'held' ? 'rejected' : comment.status
}
