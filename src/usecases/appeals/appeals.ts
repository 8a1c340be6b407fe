import type { Position } from '../../domain/comment/sort.ts'
import { buildStatement, type OwnAppeal } from '../../domain/moderation/statement.ts'
import { type AuthorCaller, assertPerson, type Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, runQuery } from '../../postgres/connection/transaction.ts'
import {
  type Appeal,
  listAppeals as findAppeals,
  insertAppeal,
} from '../../postgres/moderation/appeals.ts'
import type { Decision } from '../../postgres/moderation/decisions.ts'
import {
  listModerated,
  type ModeratedComment,
} from '../../postgres/moderation/moderated-comments.ts'
import { findDecisions } from '../../postgres/moderation/moderation-log.ts'
import { findStated } from '../../postgres/moderation/statements.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { assertOwn } from './statements.ts'

type AppealRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly text: string
  readonly idempotencyKey: IdempotencyKey | undefined
}

/**
 * Asks for a second look at a decision. Refuses with `decision_conflict` if the comment is published, still waits for
 * its first decision, or was appealed before and not turned down again after that appeal was overturned.
 */
export const appealDecision = async <Answer>(
  context: Context,
  request: AppealRequest,
  present: (appeal: OwnAppeal) => Answer,
): Promise<Answer> => {
  const { caller } = request
  assertPerson(caller)
  return runOnce(context, request.idempotencyKey, async (tx) =>
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
  if (!buildStatement(found).mayAppeal)
    throw new Refusal('decision_conflict', {
      id: found.appeal ? 'has been appealed already' : 'cannot be appealed',
    })
  const { decisionId, decision } = found
  const decidedBy = decision?.by ?? null
  const author = { authorId: caller.authorId, text }
  return insertAppeal(tx, { siteId, comment, ...author, decisionId, decidedBy })
}

/** An appeal with what a moderator needs to answer it. */
export type ModeratedAppeal = Appeal & {
  readonly about: ModeratedComment
  /** The decision that the appeal is against; null if no person made it. */
  readonly decision: Decision | null
}

type ListRequest = {
  siteId: number
  state: 'waiting' | 'answered'
  after: Position | null
  limit: number
}

/** Waiting appeals, oldest first, or answered ones, latest answer first. */
export const listAppeals = async (
  context: Context,
  request: ListRequest,
): Promise<{ items: ModeratedAppeal[]; next: Position | null }> => {
  const { siteId, limit } = request
  const rows = await runQuery(findAppeals(context.db, request))
  const appeals = rows.slice(0, limit)
  const keys = appeals.map(({ comment }) => comment)
  const ids = appeals.flatMap(({ decisionId }) => decisionId ?? [])
  const comments = byId(await runQuery(listModerated(context.db, siteId, keys)))
  const decisions = byId(await runQuery(findDecisions(context.db, siteId, ids)))
  const items = appeals.flatMap((appeal) => {
    const about = comments.get(appeal.comment.id)
    const decision = decisions.get(appeal.decisionId ?? 0) ?? null
    // A comment that is being moved right now is not in its old thread.
    return about ? [{ ...appeal, about, decision }] : []
  })
  const last = rows.length > appeals.length ? appeals.at(-1)! : undefined
  return { items, next: last ? [Date.parse(last.answeredAt ?? '1970'), last.id] : null }
}

const byId = <T extends { readonly id: number }>(items: readonly T[]): ReadonlyMap<number, T> =>
  new Map(items.map((item) => [item.id, item]))
