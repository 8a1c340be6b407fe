import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { type Batch, findBatch } from '../../postgres/jobs/batches.ts'
import type { Context } from '../context.ts'

/** How far a batch is. */
export const getBatch = async (context: Context, site: Site, id: number): Promise<Batch> => {
  const batch = await runQuery(findBatch(context.db, { siteId: site.id, id }))
  if (!batch) throw new Refusal('not_found')
  return batch
}
