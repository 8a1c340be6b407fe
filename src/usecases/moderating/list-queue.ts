import { asking } from '../../postgres/connection/transaction.ts'
import {
  listQueue as findQueue,
  type ModeratedComment,
  type QueueRequest,
} from '../../postgres/queue.ts'
import type { World } from '../world.ts'

export type { ModeratedComment } from '../../postgres/queue.ts'

/** What waits for a moderator, or was decided, in order of arrival. */
export const listQueue = async (
  world: World,
  request: QueueRequest,
): Promise<{ items: ModeratedComment[]; nextId: number | null }> => {
  const rows = await asking(findQueue(world.db, request))
  const items = rows.slice(0, request.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
