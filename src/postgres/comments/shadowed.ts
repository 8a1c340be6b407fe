import { sql } from 'kysely'
import type { Thread } from '../../domain/comment/comment.ts'
import type { Sort } from '../../domain/comment/sort.ts'
import type { RankedComment } from '../../domain/comment/tree.ts'
import type { Db } from '../connection/db.ts'
import { threadIdOf } from '../threads/aliases.ts'
import { keyOf } from './pages.ts'
import {
  authorColumns,
  type CommentRow,
  commentColumns,
  joinTally,
  threadColumns,
  toComment,
} from './rows.ts'
import { isInvisible } from './visible.ts'

/** The largest number of shadowed comments per thread. With more, their author sees the newest. */
const MAX_OWN = 200

/**
 * Finds a thread that is not hidden, visible or not, and an author's shadowed comments in it, by id.
 */
export const findShadowed = async (
  db: Db,
  request: {
    siteId: number
    authorId: number
    thread: { articleId: string } | { id: number }
    sort: Sort
  },
): Promise<{ thread: Thread; rows: RankedComment[] } | undefined> => {
  const { siteId, authorId, thread: of, sort } = request
  const { rows: threads } = await sql<Thread>`
    select ${threadColumns} from threads t
    where t.site_id = ${siteId} and t.state <> 'hidden'
      and ${'id' in of ? sql`t.id = ${of.id}` : sql`t.id = ${threadIdOf(siteId, of.articleId)}`}`.execute(
    db,
  )
  const thread = threads[0]
  if (!thread) return undefined
  const { rows } = await sql<
    CommentRow & { key: number; articleTitle: string | null; articleUrl: string | null }
  >`
    select * from (
      select ${commentColumns}, ${keyOf(sort)} as key, c.article_title, c.article_url, ${authorColumns}
      from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id ${joinTally}
      where c.site_id = ${siteId} and c.author_id = ${authorId} and c.thread_id = ${thread.id}
        and ${isInvisible('c.status')} and c.shadowed and c.status in ('rejected', 'deleted')
      order by c.id desc limit ${MAX_OWN}
    ) own order by id`.execute(db)
  const suggestion = rows.find(({ articleUrl }) => articleUrl !== null)
  const isUnnamed = thread.title === null && thread.url === null
  const suggested = isUnnamed &&
    suggestion && { title: suggestion.articleTitle, url: suggestion.articleUrl }
  return {
    thread: { ...thread, ...suggested },
    rows: rows.map((row) => ({ ...toComment(row, thread.articleId), isOver: false })),
  }
}
