import { isVisible } from '../../domain/comment/status.ts'
import { batchJob, checksJob, type NewJob } from '../../domain/job.ts'
import { BY_RULES, callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { Verdict } from '../../domain/screening/finding.ts'
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
import { enqueueJob, enqueueJobs } from '../../postgres/jobs/jobs.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import {
  countHeldByRules,
  type HeldComment,
  listHeldByRules,
  lockHeldByRules,
  rejudgeComments,
} from '../../postgres/screening/judged-comments.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { judgeAgain } from './judge-again.ts'

const COMMENTS_PER_STEP = 100

type RejudgeRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  /** Whether the checks without a score are asked again. */
  readonly asksAgain: boolean
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** The request that the batch stores. An older version stores no `asksAgain`. */
type StoredRequest = {
  readonly policyVersion: number
  readonly upToId: number
  readonly asksAgain?: boolean
}

/**
 * Starts a batch that judges all comments held by rules again, by the policy in force, the stored counts, and the
 * bans and modes of now. Comments that a moderator or flags sent to the queue stay held.
 */
export const rejudgePending = async <Answer>(
  context: Context,
  { site, administrator, asksAgain, idempotencyKey }: RejudgeRequest,
  present: (batch: Batch) => Answer,
): Promise<Answer> => {
  const answer = await runOnce(context, idempotencyKey, async (tx) => {
    const { total, lastId: upToId } = await countHeldByRules(tx, site.id)
    const request: StoredRequest = { policyVersion: site.policyVersion, upToId, asksAgain }
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
  const { policyVersion, upToId, asksAgain = false } = batch.request as StoredRequest
  const policy = await context.policies.find({ id: siteId, policyVersion })
  const span = { siteId, afterId: batch.afterId, upToId, limit: COMMENTS_PER_STEP }
  const next = await runQuery(listHeldByRules(context.db, span))
  const options = { siteId, policy, asksAgain }
  const { comments, threadId } = takeStep(await judgeAgain(context, context.db, options, next))
  const isLast = comments.length === next.length && next.length < COMMENTS_PER_STEP
  const act = () =>
    inTransaction(context.writes, async (tx) => {
      await lockBatchRow(tx, batch)
      const now = await findBatch(tx, batch)
      if (now?.afterId !== batch.afterId || now.endedAt !== null) return 0
      const changed = await applyStep(context, tx, batch, { comments, threadId, options })
      const afterId = comments.at(-1)?.id ?? batch.afterId
      const outcomes = { changed, unchanged: comments.length - changed }
      await advanceBatch(tx, now, { outcomes, afterId })
      if (isLast) await endBatch(tx, batch)
      return isLast ? undefined : comments.length
    })
  const judged =
    threadId === undefined
      ? await act()
      : await withInvalidation(context, { siteId, threadIds: [threadId], isHide: false }, act)
  if (asksAgain) context.kick('ask_checks')
  return judged
}

type JudgedAgain = Awaited<ReturnType<typeof judgeAgain<HeldComment>>>

/** A reply stays held while the comment above it is not public. */
const statusOf = ({
  comment: { isBelowPublic },
  judgement: { verdict },
}: Pick<JudgedAgain[number], 'comment' | 'judgement'>): Verdict =>
  isVisible(verdict) && !isBelowPublic ? 'pending' : verdict

type Step = {
  readonly comments: readonly HeldComment[]
  /** The thread of the comments that change; undefined if none changes. */
  readonly threadId: number | undefined
}

/** Takes the comments before the first that changes in a second thread. */
const takeStep = (next: JudgedAgain): Step => {
  const comments = next.map(({ comment }) => comment)
  let threadId: number | undefined
  for (const [n, { comment, judgement }] of next.entries()) {
    if (statusOf({ comment, judgement }) === 'pending') continue
    threadId ??= comment.threadId
    if (comment.threadId !== threadId) return { comments: comments.slice(0, n), threadId }
  }
  return { comments, threadId }
}

/** Judges the comments that rules still hold, under the locks. @returns how many changed */
const applyStep = async (
  context: Context,
  tx: Tx,
  { siteId, id: batchId }: Batch,
  { comments, threadId, options }: Step & { options: Parameters<typeof judgeAgain>[2] },
): Promise<number> => {
  if (threadId !== undefined) await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  const held = await judgeAgain(context, tx, options, await lockHeldByRules(tx, siteId, comments))
  const judged = held.filter(
    (one) => statusOf(one) === 'pending' || one.comment.threadId === threadId,
  )
  const policyVersion = options.policy.version
  const rows = judged.map(({ comment, facts, judgement }) => {
    const to = statusOf({ comment, judgement })
    return { threadId: comment.threadId, id: comment.id, facts, to, ...judgement }
  })
  await rejudgeComments(tx, { siteId, policyVersion }, rows)
  if (options.asksAgain) await enqueueJobs(tx, judged.flatMap(toChecksJob(siteId)))
  const origin = { siteId, by: BY_RULES, batchId, note: `judged again by policy ${policyVersion}` }
  const changing = rows.filter(({ to }) => to !== 'pending')
  for (const { threadId, id, to } of changing) {
    const comment = (await findCommentForWrite(tx, { siteId, threadId, id }))!
    await changeStatus(tx, comment, { siteId, to })
    await insertDecision(tx, { ...origin, threadId, commentId: id, from: 'pending', to })
  }
  return changing.length
}

/** The job that asks the checks of a comment, if one can be asked. Their answers can publish the comment. */
const toChecksJob =
  (siteId: number) =>
  ({ comment, facts }: JudgedAgain[number]): NewJob[] =>
    Object.values(facts.checks).some(({ state }) => state === 'asked')
      ? [{ ...checksJob(siteId, comment, true), dueInMs: 0 }]
      : []
