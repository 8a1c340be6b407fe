import { STATUSES, type Status } from '../../domain/comment/status.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { countQueue as findCounts } from '../../postgres/moderation/queue.ts'
import type { Context } from '../context.ts'

/** How many comments of the site have each status, zeros included. */
export const countQueue = async (
  context: Context,
  siteId: number,
): Promise<Record<Status, number>> => {
  const counts = new Map(
    (await runQuery(findCounts(context.db, siteId))).map((row) => [row.status, row.count]),
  )
  return Object.fromEntries(STATUSES.map((status) => [status, counts.get(status) ?? 0])) as Record<
    Status,
    number
  >
}
