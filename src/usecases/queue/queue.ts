import type { Position } from '../../domain/comment/sort.ts'
import { STATUSES, type Status } from '../../domain/comment/status.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listWithAncestors } from '../../postgres/comments/comments.ts'
import { listRevisions as findRevisions, type Revision } from '../../postgres/comments/revisions.ts'
import type { Db } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  listModerated,
  type ModeratedComment,
} from '../../postgres/moderation/moderated-comments.ts'
import {
  countQueue as findCounts,
  findQueuePage,
  findSnapshot,
  type QueueRequest,
} from '../../postgres/moderation/queue.ts'
import type { Context } from '../context.ts'

export type { Revision } from '../../postgres/comments/revisions.ts'
export type { ModeratedComment } from '../../postgres/moderation/moderated-comments.ts'
export { QUEUE_SORTS } from '../../postgres/moderation/queue.ts'

/**
 * Comments by status, held ones as a rule. A page can be short before the end: see `next`. `asOf` is the
 * snapshot for decisions on these comments.
 */
export const listQueue = async (
  context: Context,
  request: QueueRequest,
): Promise<{ items: ModeratedComment[]; next: Position | null; asOf: string }> => {
  // The snapshot is the older one, so that the page shows no text that it lacks.
  const asOf = await runQuery(findSnapshot(context.db))
  const { comments, next } = await runQuery(findQueuePage(context.db, request))
  return { items: await runQuery(listInOrder(context.db, request.siteId, comments)), next, asOf }
}

/** Comments as moderators see them, in the given order; those that no longer exist are left out. */
export const listInOrder = async (
  db: Db,
  siteId: number,
  keys: readonly CommentKey[],
): Promise<ModeratedComment[]> => {
  if (keys.length === 0) return []
  const found = new Map((await listModerated(db, siteId, keys)).map((row) => [row.id, row]))
  return keys.flatMap(({ id }) => found.get(id) ?? [])
}

/** How many comments of the site have each status, zeros included. */
export const countQueue = async (
  context: Context,
  siteId: number,
): Promise<Record<Status, number>> => {
  const rows = await runQuery(findCounts(context.db, siteId))
  const counts = new Map(rows.map(({ status, count }) => [status, count]))
  const all = STATUSES.map((status) => [status, counts.get(status) ?? 0])
  return Object.fromEntries(all) as Record<Status, number>
}

type RevisionsRequest = { site: Site; comment: CommentKey; before: number | null; limit: number }

/** Earlier texts of a comment, latest first. */
export const listRevisions = async (
  context: Context,
  { site, comment, before, limit }: RevisionsRequest,
): Promise<{ items: Revision[]; nextId: number | null }> => {
  const { threadId, id: commentId } = comment
  const key = { siteId: site.id, commentId }
  const [known] = await runQuery(
    listWithAncestors(context.db, { ...key, threadId, ancestorCount: 0 }),
  )
  if (!known) throw new Refusal('not_found')
  const rows = await runQuery(findRevisions(context.db, { ...key, before, limit }))
  const authorId = known.author.id
  const items = rows.slice(0, limit).map((row) => ({ ...row, authorId }))
  return { items, nextId: rows.length > items.length ? items.at(-1)!.revision : null }
}
