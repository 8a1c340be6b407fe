import type { ThreadState } from '../../domain/comment/comment.ts'
import type { Status } from '../../domain/comment/status.ts'
import { OUTCOMES, type Outcome } from '../../domain/moderation/decision.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import type { Batch, BatchResult, Item } from '../../usecases/batches/batches.ts'
import type { DryRunResult } from '../../usecases/batches/dry-run-decisions.ts'
import type { WriteResponse } from '../edge/responses.ts'
import { presentDoer } from '../wire/stored-ids.ts'

export const presentBatch = (ids: PublicIds, { request, ...batch }: Batch) => {
  const { to = null, batchId: undone } = request as { to?: string; batchId?: number }
  const isOnThreads = batch.kind === 'decide_threads'
  return {
    id: ids.write('batch', batch.id),
    kind: batch.kind,
    to: isOnThreads ? null : (to as Status | null),
    to_state: isOnThreads ? (to as ThreadState | null) : null,
    undoes: undone === undefined ? null : ids.write('batch', undone),
    by: presentDoer(ids, batch.by),
    at: batch.at,
    total: batch.total,
    done: batch.done,
    changed: batch.changed,
    outcomes: presentOutcomes(batch.outcomes),
    ended_at: batch.endedAt,
  }
}

/** Counts of every outcome, zeros included. */
const presentOutcomes = (counts: Readonly<Partial<Record<Outcome, number>>>) =>
  Object.fromEntries(OUTCOMES.map((outcome) => [outcome, counts[outcome] ?? 0]))

const presentItem = (ids: PublicIds, { comment, articleId, outcome, decisionId }: Item) => ({
  comment_id: articleId === null ? ids.writeComment(comment) : null,
  article_id: articleId,
  outcome: outcome!,
  decision_id: decisionId === null ? null : ids.write('decision', decisionId),
})

const presentBatchResult = (ids: PublicIds, { batch, items }: BatchResult) => ({
  batch: presentBatch(ids, batch),
  total: batch.total,
  outcomes: presentOutcomes(batch.outcomes),
  items: items.map((item) => presentItem(ids, item)),
})

export const presentDryRun = (
  ids: PublicIds,
  { total, outcomes, replies, items }: Omit<DryRunResult, 'asOf'>,
) => ({
  batch: null,
  total,
  outcomes: presentOutcomes(outcomes),
  replies,
  items: items.map((item) => presentItem(ids, item)),
})

/** The response that creates a batch: 202 while the batch still runs. */
export const presentBatchResponse =
  (ids: PublicIds) =>
  (result: BatchResult): WriteResponse => ({
    status: result.batch.endedAt === null ? 202 : 200,
    headers: {},
    body: presentBatchResult(ids, result),
  })
