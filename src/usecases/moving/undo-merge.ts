import { takeBranches } from '../../domain/comment/branch.ts'
import { batchJob } from '../../domain/job.ts'
import { isLatestStanding } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listPlaced } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { type Batch, insertBatch, isMergeRunning } from '../../postgres/jobs/batches.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import {
  findMergeOfBatch,
  findSubjectDecision,
  listRootMoves,
  listUndoables,
  type MoveDecision,
  type Undoable,
} from '../../postgres/moderation/undo.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { restoreAliased } from '../../postgres/threads/aliases.ts'
import { findThreadSettings, restoreThread } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { undoOutcomeOf } from '../decisions/undo-in-thread.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { COMMENTS_OF_STEP, mergeBranches, movingOf, runMovingStep } from './merge-steps.ts'
import { acquireThreadLocks } from './move-branch.ts'

export const toRow = ({ id, before, after }: Pick<MoveDecision, 'id' | 'before' | 'after'>) =>
  ({ action: 'move', undoes: id, before: after, after: before }) as const

/** The former values of the settings that still are as the decision left them. */
const restoredOf = (
  settings: Record<string, unknown>,
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(before).filter(
      ([name, value]) => settings[name] === after[name] && settings[name] !== value,
    ),
  )

/** Restores what a merge changed of its source and its target, unless it changed again. @returns how many settings */
export const restoreSettings = async (
  tx: Tx,
  siteId: number,
  {
    subject,
    from,
    to,
    before,
    after,
  }: Pick<MoveDecision, 'subject' | 'from' | 'to' | 'before' | 'after'>,
): Promise<number> => {
  const isForward = subject === before.article_id
  const [source, target] = isForward ? [from, to] : [to, from]
  const changes = [
    { threadId: source, before: { state: before.state }, after: { state: after.state } },
    { threadId: target, before: before.into ?? {}, after: after.into ?? {} },
  ].toSorted((a, b) => a.threadId - b.threadId)
  let number = 0
  for (const { threadId, before, after } of changes) {
    const settings = await findThreadSettings(tx, siteId, threadId)
    const restored = restoredOf(settings, before, after)
    const count = Object.keys(restored).length
    if (count > 0) await restoreThread(tx, siteId, threadId, { ...settings, ...restored })
    number += count
  }
  return number
}

/**
 * Makes the source of a merge a thread again, if it became an alias. Locks both threads.
 * @returns the threads of which nodes may have cached an alias
 */
export const restoreSource = async (
  tx: Tx,
  siteId: number,
  { from, to }: Pick<MoveDecision, 'from' | 'to'>,
): Promise<number[]> => {
  for (const threadId of [from, to].toSorted((a, b) => a - b))
    await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  const named = await restoreAliased(tx, siteId, from)
  return named === undefined ? [] : [named]
}

export const decisionIdsOf = (roots: readonly Undoable[]): Map<number, number> =>
  new Map(roots.map(({ commentId, id }) => [commentId, id]))

type UndoMergeRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly idempotencyKey: IdempotencyKey | undefined
  /** The batch of a merge, or of the undo of one. */
  readonly undone: Batch
}

/**
 * Starts a batch that moves the comments of another batch back. Refuses with `decision_conflict` if that was
 * undone before, or if another merge of these threads is in progress.
 */
export const undoMergeBatch = async <Answer>(
  context: Context,
  { site, moderator, undone, idempotencyKey }: UndoMergeRequest,
  present: (batch: Batch) => Answer,
): Promise<Answer> => {
  const siteId = site.id
  const { from: to, to: from } = movingOf(undone)!
  const by = callerIdOf(moderator)
  const threadIds = [from, to]
  const start = async (tx: Tx) => {
    threadIds.push(...(await restoreSource(tx, siteId, { from: to, to: from })))
    await acquireThreadLocks(tx, siteId, [from, to])
    const { id, subject, before, after } = (await findMergeOfBatch(tx, siteId, undone.id))!
    const { later } = await findSubjectDecision(tx, siteId, { id, action: 'move' })
    if (!isLatestStanding(id, later) || (await isMergeRunning(tx, siteId, { from, to })))
      throw new Refusal('decision_conflict')
    const request = { batchId: undone.id, merge: { from, to } }
    const total = undone.changed
    const batch = await insertBatch(tx, { siteId, kind: 'undo', request, by, total })
    const row = toRow({ id, before, after })
    await insertDecision(tx, { siteId, by, subject, batchId: batch.id, ...row })
    await enqueueJob(tx, batchJob(batch))
    return present(batch)
  }
  const answer = await withInvalidation(context, { siteId, threadIds, isHide: true }, () =>
    runOnce(context, idempotencyKey, start),
  )
  context.kick('run_batch')
  return answer
}

/** Moves the next branches back, as the undo of a merge does. The last step restores the settings of both threads. */
export const undoMergeStep = (context: Context, batch: Batch): Promise<number | undefined> =>
  runMovingStep(context, batch, async (tx, { siteId, id, afterId: done }) => {
    const { batchId } = batch.request as { batchId: number }
    const { from, to } = movingOf(batch)!
    const next = { batchId, afterId: done, limit: COMMENTS_OF_STEP }
    const ids = await listRootMoves(tx, siteId, next)
    if (ids.length === 0) {
      const undone = (await findMergeOfBatch(tx, siteId, batchId))!
      await restoreSettings(tx, siteId, { ...undone, from: to, to: from })
      return 'unchanged'
    }
    const at = { siteId, threadId: from }
    const found = await listUndoables(tx, at, { ids, scope: 'alone' })
    const standing = found.filter((one) => undoOutcomeOf(one) === 'changed')
    const rootIds = standing.map(({ commentId }) => commentId)
    const nodes =
      rootIds.length === 0 ? [] : await listPlaced(tx, at, { fromId: Math.min(...rootIds) })
    const { taken, movers } = takeBranches(rootIds, nodes, COMMENTS_OF_STEP)
    const isWhole = taken.length === standing.length
    const afterId = isWhole ? ids.at(-1)! : standing[taken.length - 1]!.id
    const conflicts = ids.filter((decisionId) => decisionId <= afterId).length - taken.length
    const merge = (await findMergeOfBatch(tx, siteId, id))!
    await mergeBranches(tx, { siteId, from, to, movers, merge, undoes: decisionIdsOf(standing) })
    return { outcomes: { changed: movers.length, decision_conflict: conflicts }, afterId }
  })
