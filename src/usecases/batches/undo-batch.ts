import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { insertItemsOfBatch } from '../../postgres/jobs/batch-items.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { movingOf } from '../moving/merge-steps.ts'
import { undoMergeBatch } from '../moving/undo-merge.ts'
import { type Batch, type BatchResult, getBatch, startBatch } from './batches.ts'

export type UndoBatchRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly batchId: number
  readonly idempotencyKey: IdempotencyKey | undefined
}

/**
 * Undoes the decisions of a batch, cascaded ones included, each on its own. Comments that changed since stay
 * as they are. Refuses with `decision_conflict` while the batch is in progress.
 */
export const undoBatch = async <Answer>(
  context: Context,
  { site, moderator, batchId, idempotencyKey }: UndoBatchRequest,
  present: (result: BatchResult) => Answer,
): Promise<Answer> => {
  const undone = await getBatch(context, site, batchId)
  if (undone.endedAt === null) throw new Refusal('decision_conflict')
  if (undone.kind === 'remap') throw new Refusal('move_not_allowed')
  if (movingOf(undone)) {
    const request = { site, moderator, undone, idempotencyKey }
    return undoMergeBatch(context, request, (batch) => present({ batch, items: [] }))
  }
  const batch = {
    siteId: site.id,
    kind: 'undo' as const,
    by: callerIdOf(moderator),
    request: { batchId },
    fill: (tx: Tx, created: Batch) => insertItemsOfBatch(tx, created, batchId),
    assertTotal: () => {},
  }
  return startBatch(context, { ...batch, idempotencyKey }, present)
}
