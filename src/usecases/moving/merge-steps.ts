import { takeBranches } from '../../domain/comment/branch.ts'
import type { Outcome } from '../../domain/moderation/decision.ts'
import { Refusal } from '../../domain/refusal.ts'
import { listPlaced, type Placed } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction } from '../../postgres/connection/transaction.ts'
import {
  advanceBatch,
  type Batch,
  endBatch,
  findBatch,
  lockBatchRow,
} from '../../postgres/jobs/batches.ts'
import { type Decision, insertDecisions } from '../../postgres/moderation/decisions.ts'
import { findMergeOfBatch } from '../../postgres/moderation/undo.ts'
import {
  findArticleSuggestion,
  findThreadSettings,
  inheritSuggestion,
} from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { acquireThreadLocks, assertMayPublish, moveRootBranches } from './move-branch.ts'

/**
 * One step moves this many comments, or one larger branch. Other writes to both threads wait for half a second,
 * and for up to two seconds while the machine is busy.
 */
export const COMMENTS_OF_STEP = 1_000

/** The data that the batch of a merge stores. */
export type StoredMerge = {
  readonly from: number
  readonly to: number
  /** Root comments after this one came later, and stay. */
  readonly upToId: number
  readonly publish: boolean
}

/** The threads between which a batch moves root comments: the batch of a merge, or of its undo. */
export type MovingBatch = Pick<StoredMerge, 'from' | 'to'>

/** The threads of a batch that moves comments; undefined for any other batch. */
export const movingOf = ({ request }: Batch): MovingBatch | undefined =>
  (request as { merge?: MovingBatch }).merge

/** Moves comments. @returns an outcome for all that are left, if the batch ends */
type MovingStep = (tx: Tx, batch: Batch) => Promise<Pick<Batch, 'outcomes' | 'afterId'> | Outcome>

/**
 * Does one step of a merge or of its undo under the exclusive locks of both threads, so that every comment
 * is in one of them at any time. If a thread was deleted or the step would publish comments of a hidden
 * thread, the batch ends.
 * @returns how many comments have an outcome now; undefined when none is left
 */
export const runMovingStep = async (
  context: Context,
  batch: Batch,
  step: MovingStep,
): Promise<number | undefined> => {
  const { siteId } = batch
  const { from, to } = movingOf(batch)!
  const changes = { siteId, threadIds: [from, to], isHide: true }
  try {
    return await withInvalidation(context, changes, () =>
      inTransaction(context.writes, async (tx) => {
        await acquireThreadLocks(tx, siteId, [from, to])
        return advance(tx, batch, step)
      }),
    )
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { code } = error
    if (code !== 'not_found' && code !== 'move_not_allowed') throw error
    return inTransaction(context.writes, (tx) => advance(tx, batch, async () => code))
  }
}

/** Two nodes can run the same step: the second finds that the batch has advanced. */
const advance = async (tx: Tx, batch: Batch, step: MovingStep): Promise<number | undefined> => {
  await lockBatchRow(tx, batch)
  const now = await findBatch(tx, batch)
  if (now?.afterId !== batch.afterId || now.endedAt !== null) return 0
  const result = await step(tx, now)
  if (typeof result !== 'string') return advanceBatch(tx, now, result)
  const { afterId, total, done } = now
  if (done < total) await advanceBatch(tx, now, { outcomes: { [result]: total - done }, afterId })
  await endBatch(tx, now)
  return undefined
}

/** Moves the oldest branches that are left. */
export const mergeStep = (context: Context, batch: Batch): Promise<number | undefined> =>
  runMovingStep(context, batch, async (tx, { siteId, id, afterId }) => {
    const { from, to, upToId, publish } = (batch.request as { merge: StoredMerge }).merge
    const nodes = await listPlaced(tx, { siteId, threadId: from }, { fromId: afterId + 1 })
    const roots = nodes.filter((node) => node.parentId === 0 && node.id <= upToId)
    if (roots.length === 0) return 'unchanged'
    const rootIds = roots.map((root) => root.id)
    const { movers, taken } = takeBranches(rootIds, nodes, COMMENTS_OF_STEP)
    const [source, target] = [
      await findThreadSettings(tx, siteId, from),
      await findThreadSettings(tx, siteId, to),
    ]
    const hasVisible = movers.some(({ isVisible }) => isVisible)
    assertMayPublish(hasVisible, { from: source.state, to: target.state, publish })
    const merge = (await findMergeOfBatch(tx, siteId, id))!
    await mergeBranches(tx, { siteId, from, to, movers, merge })
    return { outcomes: { changed: movers.length }, afterId: taken.at(-1)! }
  })

type MergedBranches = {
  readonly siteId: number
  readonly from: number
  readonly to: number
  readonly movers: readonly Placed[]
  readonly merge: Decision
  /** The decision on each root that an undo undoes, by the id of the root. */
  readonly undoes?: ReadonlyMap<number, number>
}

/**
 * Moves whole branches of a merge or its undo, with the suggested name of the article if its comment is among them. Each
 * root gets a decision that `merge` causes.
 * @returns the target's new version; undefined if readers see no difference
 */
export const mergeBranches = async (
  tx: Tx,
  { siteId, from, to, movers, merge, undoes }: MergedBranches,
): Promise<number | undefined> => {
  const suggestion = await findArticleSuggestion(tx, siteId, from)
  const version = await moveRootBranches(tx, siteId, { from, to, movers })
  if (movers.some(({ id }) => id === suggestion.suggestedBy))
    await inheritSuggestion(tx, siteId, to, suggestion)
  const { by, reason, note, batchId } = merge
  const rows = movers
    .filter(({ parentId }) => parentId === 0)
    .map((root) => ({
      action: 'move' as const,
      threadId: to,
      commentId: root.id,
      causedBy: merge.id,
      undoes: undoes?.get(root.id) ?? null,
      before: { article_id: merge.before?.article_id, parent_id: null },
      after: { article_id: merge.after?.article_id, parent_id: null },
    }))
  const at = batchId === null ? { at: merge.at } : {}
  if (rows.length > 0) await insertDecisions(tx, { siteId, by, reason, note, batchId, ...at }, rows)
  return version
}
