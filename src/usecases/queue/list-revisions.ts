import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import {
  listRevisions as findRevisions,
  listWithAncestors,
  type Revision,
} from '../../postgres/comments/comments.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'

export type { Revision } from '../../postgres/comments/comments.ts'

type Request = { site: Site; comment: CommentKey; before: number | null; limit: number }

/** What a comment said before each edit, latest first. */
export const listRevisions = async (
  context: Context,
  { site, comment, before, limit }: Request,
): Promise<{ items: Revision[]; nextId: number | null }> => {
  const at = { siteId: site.id, commentId: comment.id }
  const place = { ...at, threadId: comment.threadId, ancestorCount: 0 }
  const [known] = await runQuery(listWithAncestors(context.db, place))
  if (!known) throw new Refusal('not_found')
  const rows = await runQuery(findRevisions(context.db, { ...at, before, limit }))
  const items = rows.slice(0, limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.revision : null }
}
