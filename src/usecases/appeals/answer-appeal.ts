import { isVisible, type Status } from '../../domain/comment/status.ts'
import { buildStatement, type Outcome } from '../../domain/moderation/statement.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { authorId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import { resolveFlags } from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, runQuery } from '../../postgres/connection/transaction.ts'
import {
  type Appeal,
  findAppeal,
  answerAppeal as giveAnswer,
} from '../../postgres/moderation/appeals.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { findStated, type StatedComment } from '../../postgres/moderation/statements.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'

type AnswerRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly appealId: number
  readonly outcome: Outcome
  /** For the author. */
  readonly note: string | null
  readonly claim: IdempotencyKey | undefined
}

export type Answered = { readonly appeal: Appeal; readonly version: number | undefined }

/**
 * Answers an appeal: by somebody else than whoever made the decision, and for good. `overturned`
 * publishes the comment; `upheld` turns down what was only held. Of two who answer one succeeds; the
 * other is refused with `decision_conflict`, as is who upholds what is published by now.
 */
export const answerAppeal = async <Answer>(
  context: Context,
  request: AnswerRequest,
  present: (answered: Answered) => Answer,
): Promise<Answer> => {
  const { site, appealId, claim } = request
  const appeal = await runQuery(findAppeal(context.db, { siteId: site.id, id: appealId }))
  if (!appeal) throw new Refusal('not_found')
  const { threadId } = appeal.comment
  return withInvalidation(context, { siteId: site.id, threadIds: [threadId], isHide: false }, () =>
    runOnce(context, claim, async (tx) => {
      await acquireThreadLock(tx, { siteId: site.id, threadId }, 'exclusive')
      return present(await answer(tx, request, appeal))
    }),
  )
}

const answer = async (tx: Tx, request: AnswerRequest, appeal: Appeal): Promise<Answered> => {
  const { site, moderator, outcome, note } = request
  const siteId = site.id
  const { threadId, id: commentId } = appeal.comment
  const comment = await findCommentForWrite(tx, { siteId, threadId, id: commentId })
  const stated = await findStated(tx, siteId, appeal.comment)
  // It is moved to another thread at this moment.
  if (!comment || !stated) throw new Refusal('decision_conflict')
  const by = callerIdOf(moderator)
  const answered = await giveAnswer(tx, { siteId, id: appeal.id, outcome, note, by })
  if (!answered) throw new Refusal('decision_conflict')
  assertImpartial(by, appeal, stated)
  const to = statusAfter(outcome, comment, stated)
  const why = { siteId, by, note, threadId, commentId }
  const act = { action: 'appeal', before: { outcome: null }, after: { outcome } } as const
  const answering = await insertDecision(tx, { ...why, ...act })
  await resolveFlags(tx, { siteId, threadId }, [answering])
  if (to === comment.status) return { appeal: answered, version: undefined }
  const { version } = await changeStatus(tx, comment, { siteId, to })
  await insertDecision(tx, { ...why, from: comment.status, to, causedBy: answering.id })
  return { appeal: answered, version }
}

/** Nobody judges its own decision, nor its own comment. */
const assertImpartial = (by: string, appeal: Appeal, { decision }: StatedComment): void => {
  if (![appeal.decidedBy, decision?.by, authorId(appeal.authorId)].includes(by)) return
  throw new Refusal('forbidden', { authorization: 'somebody else must answer this appeal' })
}

const statusAfter = (outcome: Outcome, comment: CommentForWrite, stated: StatedComment): Status => {
  const { standing, decidedBy } = buildStatement(stated)
  if (outcome === 'overturned') {
    if (decidedBy === 'author' || comment.isErased) throw new Refusal('move_not_allowed')
    return 'approved'
  }
  if (isVisible(comment.status)) throw new Refusal('decision_conflict')
  return standing === 'held' ? 'rejected' : comment.status
}
