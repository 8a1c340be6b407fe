import { sql } from 'kysely'
import type { Comment } from '../domain/comment.ts'
import type { Opinion } from '../domain/screening.ts'
import type { Status } from '../domain/status.ts'
import type { Db } from './connection/db.ts'
import { authorColumns, type CommentRow, commentColumns, toComment } from './rows.ts'

/** A comment as moderators see it. */
export type ModeratedComment = Comment & {
  readonly email: string | null
  readonly network: string | null
  readonly screening: readonly Opinion[] | null
  readonly articleTitle: string | null
  readonly articleUrl: string | null
}

export type QueueRequest = {
  siteId: number
  statuses: readonly Status[]
  articleId?: string | undefined
  authorId?: number | undefined
  /** Found anywhere in the text, in any case. */
  q?: string | undefined
  sort: 'oldest' | 'newest'
  afterId: number | null
  limit: number
}

/** `limit + 1` comments in order of arrival. Each status has its own index range. */
export const listQueue = async (db: Db, request: QueueRequest): Promise<ModeratedComment[]> => {
  const { siteId, statuses, articleId, authorId, q, sort, afterId, limit } = request
  const oldest = sort === 'oldest'
  const order = oldest ? sql`c.id` : sql`c.id desc`
  const after = oldest ? sql`and c.id > ${afterId}` : sql`and c.id < ${afterId}`
  const { rows } = await sql<CommentRow & { articleId: string }>`
    select ${commentColumns}, c.screening, c.network, a.email, t.article_id, t.title as article_title,
      t.url as article_url, ${authorColumns}
    from unnest(${statuses}::comment_status[]) as s (status) cross join lateral (
      select * from comments c
      where c.site_id = ${siteId} and c.status = s.status
        ${afterId === null ? sql`` : after}
        ${articleId === undefined ? sql`` : sql`and c.thread_id = (select id from threads where site_id = ${siteId} and article_id = ${articleId})`}
        ${authorId === undefined ? sql`` : sql`and c.author_id = ${authorId}`}
        ${q === undefined ? sql`` : sql`and c.body ilike ${`%${q.replace(/[\\%_]/g, '\\$&')}%`}`}
      order by ${order} limit ${limit + 1}
    ) c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    order by ${order} limit ${limit + 1}`.execute(db)
  return rows.map((row) => toComment(row, row.articleId) as unknown as ModeratedComment)
}

/** How many comments of the site have each status; those without any may be missing. */
export const countQueue = async (
  db: Db,
  siteId: number,
): Promise<{ status: Status; count: number }[]> => {
  const { rows } = await sql<{ status: Status; count: number }>`
    select status, count(*) as count from comments
    where site_id = ${siteId} and status in ('pending', 'spam', 'rejected', 'deleted')
    group by status
    union all
    select 'approved', coalesce(sum(comment_count), 0)::bigint from threads
    where site_id = ${siteId}`.execute(db)
  return rows
}
