import { buildStatement, type OwnAppeal } from '../../domain/moderation/statement.ts'
import { type AuthorCaller, assertPerson, type Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { insertAppeal } from '../../postgres/moderation/appeals.ts'
import { findStated } from '../../postgres/moderation/statements.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { assertOwn } from './get-statement.ts'

type AppealRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly text: string
  readonly claim: IdempotencyKey | undefined
}

/**
 * Asks, once for each comment, that somebody else looks again. Refuses with `decision_conflict` what
 * stands as its author wants it, what was appealed before, and what waits for its first look.
 */
export const appealDecision = async <Answer>(
  context: Context,
  request: AppealRequest,
  present: (appeal: OwnAppeal) => Answer,
): Promise<Answer> => {
  const { caller } = request
  assertPerson(caller)
  return runOnce(context, request.claim, async (tx) =>
    present(await appeal(tx, { ...request, caller })),
  )
}

const appeal = async (
  tx: Tx,
  { site, caller, comment, text }: AppealRequest & { caller: AuthorCaller },
): Promise<OwnAppeal> => {
  const siteId = site.id
  await acquireThreadLock(tx, { siteId, threadId: comment.threadId }, 'shared')
  await findCommentForWrite(tx, { siteId, ...comment })
  const writers = await lockWriterRows(tx, siteId, [caller.authorId])
  if (!writers.has(caller.authorId)) throw new Refusal('invalid_token')
  const found = await findStated(tx, siteId, comment)
  assertOwn(found, caller.authorId)
  if (found.appeal) throw new Refusal('decision_conflict', { id: 'has been appealed already' })
  if (!buildStatement(found).mayAppeal)
    throw new Refusal('decision_conflict', { id: 'cannot be appealed' })
  const { decisionId, decision } = found
  const about = { decisionId, decidedBy: decision?.by ?? null }
  return insertAppeal(tx, { siteId, comment, authorId: caller.authorId, text, ...about })
}
