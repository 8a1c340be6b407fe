import { sql } from 'kysely'
import type { Author, Comment } from '../domain/comment.ts'

/** What a reader sees of a thread that is `threads t`. A closing time that has passed closes it. */
export const threadColumns = sql`
  t.id, t.article_id, t.title, t.url, t.version, t.comment_count, t.root_count, t.last_comment_at,
  case when t.state = 'open' and t.closes_at <= now() then 'closed' else t.state end as state`

/** A thread that readers may know of: something of it was once public, and it is not hidden. */
export const threadIsVisible = sql`t.version > 0 and t.state <> 'hidden'`

/** What every view shows of `comments c` by `authors a`. */
export const commentColumns = sql`
  c.thread_id, c.id, c.parent_id, c.depth, c.status, c.author_id, c.body, c.body_html, c.revision,
  c.created_at, c.published_at, c.edited_at, c.score, c.upvotes, c.downvotes, c.pinned, c.locked,
  c.reply_count`

export const authorColumns = sql`
  a.kind as author_kind, a.role as author_role, a.name as author_name, a.url as author_url,
  a.avatar_url as author_avatar_url`

export type CommentRow = Omit<Comment, 'author' | 'articleId'> & {
  authorId: number
  authorKind: Author['kind']
  authorRole: Author['role']
  authorName: string
  authorUrl: string | null
  authorAvatarUrl: string | null
}

export const toComment = <T extends CommentRow>(
  row: T,
  articleId: string,
): Omit<T, keyof CommentRow> & Comment => {
  const { authorId, authorKind, authorRole, authorName, authorUrl, authorAvatarUrl, ...rest } = row
  const author: Author = {
    id: authorId,
    kind: authorKind,
    role: authorRole,
    name: authorName,
    url: authorUrl,
    avatarUrl: authorAvatarUrl,
  }
  return { ...rest, author, articleId } as unknown as Omit<T, keyof CommentRow> & Comment
}
