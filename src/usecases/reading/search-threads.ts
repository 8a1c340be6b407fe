import type { Position } from '../../domain/comment/sort.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  findThreadPage,
  listModeratedThreads,
  type ThreadSearch,
} from '../../postgres/threads/search.ts'
import type { ModeratedThread } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'

export { THREAD_SORTS } from '../../postgres/threads/search.ts'

/** The threads of a site, in any state. A page can be short before the end: see `next`. */
export const searchThreads = async (
  context: Context,
  search: ThreadSearch,
): Promise<{ items: ModeratedThread[]; next: Position | null }> => {
  const { ids, next } = await runQuery(findThreadPage(context.db, search))
  const threads = await runQuery(listModeratedThreads(context.db, search.siteId, ids))
  const byId = new Map(threads.map((thread) => [thread.id, thread]))
  return { items: ids.flatMap((id) => byId.get(id) ?? []), next }
}
