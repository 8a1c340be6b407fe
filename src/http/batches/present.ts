import type { Status } from '../../domain/comment/status.ts'
import { OUTCOMES, type Outcome } from '../../domain/moderation/decision.ts'
import { batchId, commentId, decisionId } from '../../domain/public-id.ts'
import type { Batch, BatchResult, Item } from '../../usecases/batches/batches.ts'
import type { DryRunResult } from '../../usecases/batches/dry-run-decisions.ts'
import type { WriteResponse } from '../edge/responses.ts'

export const presentBatch = ({ request, ...batch }: Batch) => {
  const { to = null, batchId: undone } = request as { to?: Status; batchId?: number }
  return {
    id: batchId(batch.id),
    kind: batch.kind,
    to,
    undoes: undone === undefined ? null : batchId(undone),
    by: batch.by,
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

const presentItem = ({ comment, outcome, decisionId: decision }: Item) => ({
  comment_id: commentId(comment),
  outcome: outcome!,
  decision_id: decision === null ? null : decisionId(decision),
})

export const presentBatchResult = ({ batch, items }: BatchResult) => ({
  batch: presentBatch(batch),
  total: batch.total,
  outcomes: presentOutcomes(batch.outcomes),
  items: items.map(presentItem),
})

export const presentDryRun = ({ total, outcomes, items }: DryRunResult) => ({
  batch: null,
  total,
  outcomes: presentOutcomes(outcomes),
  items: items.map(presentItem),
})

/** The response that creates a batch: 202 while the batch still runs. */
export const presentBatchResponse = (result: BatchResult): WriteResponse => ({
  status: result.batch.endedAt === null ? 202 : 200,
  headers: {},
  body: presentBatchResult(result),
})
