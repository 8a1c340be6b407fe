import type { Position } from '../../domain/comment/sort.ts'
import {
  listRecent as findRecent,
  type RecentComment,
  type RecentRequest,
} from '../../postgres/comments/recent.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'

export type { RecentComment } from '../../postgres/comments/recent.ts'
export type RecentPage = {
  readonly items: readonly RecentComment[]
  readonly next: Position | null
}

/** Latest published first, across the site. */
export const listRecent = async (context: Context, request: RecentRequest): Promise<RecentPage> => {
  const rows = await runQuery(findRecent(context.db, request))
  const items = rows.slice(0, request.limit).filter(({ isOver }) => !isOver)
  const last = items.at(-1)
  return { items, next: rows.length > items.length && last ? [last.key, last.id] : null }
}
