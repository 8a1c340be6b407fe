import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { insertItemsOfBatch } from '../../postgres/jobs/batch-items.ts'
import { findBatch } from '../../postgres/jobs/batches.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { type BatchResult, startBatch } from './batches.ts'

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
export const undoBatch = <Answer>(
  context: Context,
  { site, moderator, batchId, idempotencyKey }: UndoBatchRequest,
  present: (result: BatchResult) => Answer,
): Promise<Answer> =>
  startBatch(
    context,
    {
      siteId: site.id,
      kind: 'undo',
      by: callerIdOf(moderator),
      request: { batchId },
      idempotencyKey,
      fill: async (tx, batch) => {
        const undone = await findBatch(tx, { siteId: site.id, id: batchId })
        if (!undone) throw new Refusal('not_found')
        if (undone.endedAt === null) throw new Refusal('decision_conflict')
        await insertItemsOfBatch(tx, batch, batchId)
      },
      assertTotal: () => {},
    },
    present,
  )
