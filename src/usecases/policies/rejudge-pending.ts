import { batchJob } from '../../domain/job.ts'
import { BY_RULES, callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CompiledPolicy } from '../../domain/screening/compile-policy.ts'
import { draftOf } from '../../domain/screening/facts.ts'
import type { Site } from '../../domain/site/site.ts'
import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import {
  advanceBatch,
  type Batch,
  endBatch,
  findBatch,
  insertBatch,
  lockBatchRow,
} from '../../postgres/jobs/batches.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import {
  countHeldByRules,
  type JudgedComment,
  listHeldByRules,
  lockHeldByRules,
  rejudgeComments,
} from '../../postgres/screening/judged-comments.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'

const COMMENTS_PER_STEP = 100

type RejudgeRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** The request that the batch stores. */
type StoredRequest = { readonly policyVersion: number; readonly upToId: number }

/**
 * Starts a batch that judges all comments held by rules again, by the policy in force and the stored facts.
 * Comments that a moderator or flags sent to the queue stay held.
 */
export const rejudgePending = async <Answer>(
  context: Context,
  { site, administrator, idempotencyKey }: RejudgeRequest,
  present: (batch: Batch) => Answer,
): Promise<Answer> => {
  const answer = await runOnce(context, idempotencyKey, async (tx) => {
    const { total, lastId: upToId } = await countHeldByRules(tx, site.id)
    const request: StoredRequest = { policyVersion: site.policyVersion, upToId }
    const by = callerIdOf(administrator)
    const batch = await insertBatch(tx, { siteId: site.id, kind: 'judge', request, by, total })
    await enqueueJob(tx, batchJob(batch))
    return present(batch)
  })
  context.kick('run_batch')
  return answer
}

/**
 * Judges the next comments, and changes at most those of one thread, under its exclusive thread lock.
 * @returns how many comments were judged; undefined when none is left
 */
export const rejudgeStep = async (context: Context, batch: Batch): Promise<number | undefined> => {
  const { siteId } = batch
  const { policyVersion, upToId } = batch.request as StoredRequest
  const { judge } = await context.policies.find({ id: siteId, policyVersion })
  const span = { siteId, afterId: batch.afterId, upToId, limit: COMMENTS_PER_STEP }
  const next = await runQuery(listHeldByRules(context.db, span))
  const { comments, threadId } = takeStep(next, judge)
  const isLast = comments.length === next.length && next.length < COMMENTS_PER_STEP
  const act = () =>
    inTransaction(context.writes, async (tx) => {
      await lockBatchRow(tx, batch)
      const now = await findBatch(tx, batch)
      if (now?.afterId !== batch.afterId || now.endedAt !== null) return 0
      const changed = await applyStep(tx, batch, { comments, threadId, judge, policyVersion })
      const afterId = comments.at(-1)?.id ?? batch.afterId
      await advanceBatch(tx, batch, { done: comments.length, changed, afterId })
      if (isLast) await endBatch(tx, batch)
      return isLast ? undefined : comments.length
    })
  if (threadId === undefined) return act()
  return withInvalidation(context, { siteId, threadIds: [threadId], isHide: false }, act)
}

type Step = {
  readonly comments: readonly JudgedComment[]
  /** The thread of the comments that change; undefined if none changes. */
  readonly threadId: number | undefined
}

/** Takes the comments before the first that changes in a second thread. */
const takeStep = (next: readonly JudgedComment[], judge: CompiledPolicy): Step => {
  let threadId: number | undefined
  for (const [n, comment] of next.entries()) {
    if (judge(draftOf(comment), comment.facts).verdict === 'pending') continue
    threadId ??= comment.threadId
    if (comment.threadId !== threadId) return { comments: next.slice(0, n), threadId }
  }
  return { comments: next, threadId }
}

/** Skips comments that were edited or decided on since. @returns how many comments changed */
const applyStep = async (
  tx: Tx,
  { siteId, id: batchId }: Batch,
  {
    comments,
    threadId,
    judge,
    policyVersion,
  }: Step & { judge: CompiledPolicy; policyVersion: number },
): Promise<number> => {
  if (threadId !== undefined) await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  const held = (await lockHeldByRules(tx, siteId, comments)).map((comment) => {
    const { verdict, risk, trace } = judge(draftOf(comment), comment.facts)
    return { threadId: comment.threadId, id: comment.id, verdict, risk, trace }
  })
  const judged = held.filter((one) => one.verdict === 'pending' || one.threadId === threadId)
  await rejudgeComments(tx, { siteId, policyVersion }, judged)
  const changing = judged.filter(({ verdict }) => verdict !== 'pending')
  const origin = { siteId, by: BY_RULES, batchId, note: `judged again by policy ${policyVersion}` }
  for (const { threadId, id, verdict: to } of changing) {
    const comment = (await findCommentForWrite(tx, { siteId, threadId, id }))!
    await changeStatus(tx, comment, { siteId, to })
    await insertDecision(tx, { ...origin, threadId, commentId: id, from: 'pending', to })
  }
  return changing.length
}
