import type { Position } from '../../domain/comment/sort.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Db } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  findQueuePage,
  listModerated,
  type ModeratedComment,
  type QueueRequest,
} from '../../postgres/moderation/queue.ts'
import type { Context } from '../context.ts'

export { type ModeratedComment, QUEUE_SORTS } from '../../postgres/moderation/queue.ts'

/** What waits for a moderator, or was decided. A page may end before it is full: see `next`. */
export const listQueue = async (
  context: Context,
  request: QueueRequest,
): Promise<{ items: ModeratedComment[]; next: Position | null }> => {
  const { places, next } = await runQuery(findQueuePage(context.db, request))
  return { items: await runQuery(listInOrder(context.db, request.siteId, places)), next }
}

/** Comments with all that moderators see of them, in the order given; without what has gone meanwhile. */
export const listInOrder = async (
  db: Db,
  siteId: number,
  keys: readonly CommentKey[],
): Promise<ModeratedComment[]> => {
  if (keys.length === 0) return []
  const found = new Map((await listModerated(db, siteId, keys)).map((row) => [row.id, row]))
  return keys.flatMap(({ id }) => found.get(id) ?? [])
}
