import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { type Batch, listBatches as findBatches } from '../../postgres/jobs/batches.ts'
import type { Context } from '../context.ts'

/** What was done to many comments at once, latest first. */
export const listBatches = async (
  context: Context,
  { site, beforeId, limit }: { site: Site; beforeId: number | null; limit: number },
): Promise<{ items: Batch[]; nextId: number | null }> => {
  const rows = await runQuery(findBatches(context.db, { siteId: site.id, beforeId, limit }))
  const items = rows.slice(0, limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
