import { nameOf, type Official } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { insertItemsOfBatch } from '../../postgres/jobs/batch-items.ts'
import { findBatch } from '../../postgres/jobs/batches.ts'
import type { Claim } from '../../postgres/service/idempotency.ts'
import type { World } from '../context.ts'
import { answerBatch, type BatchResult } from '../decisions/start-batch.ts'

export type UndoBatchRequest = {
  readonly site: Site
  readonly moderator: Official
  readonly batchId: number
  readonly claim: Claim | undefined
}

/**
 * Takes back what a batch decided, replies that went along included, each comment on its own: what has
 * changed since stays as it is. Refuses with `decision_conflict` while the batch is under way.
 */
export const undoBatch = <Answer>(
  world: World,
  { site, moderator, batchId, claim }: UndoBatchRequest,
  present: (result: BatchResult) => Answer,
): Promise<Answer> =>
  answerBatch(
    world,
    {
      siteId: site.id,
      kind: 'undo',
      by: nameOf(moderator),
      request: { batchId },
      claim,
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
