import type { Position } from '../../domain/sort.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import {
  listQueue as findQueue,
  type ModeratedComment,
  type QueueRequest,
} from '../../postgres/queue.ts'
import type { World } from '../world.ts'

export type { ModeratedComment } from '../../postgres/queue.ts'

/** What waits for a moderator, or was decided. */
export const listQueue = async (
  world: World,
  request: QueueRequest,
): Promise<{ items: ModeratedComment[]; next: Position | null }> => {
  const rows = await asking(findQueue(world.db, request))
  const items = rows.slice(0, request.limit)
  const last = items.at(-1)
  return { items, next: rows.length > items.length && last ? [last.flagCount, last.id] : null }
}
