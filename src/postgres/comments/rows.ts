import { sql } from 'kysely'
import type { Author, Comment } from '../../domain/comment/comment.ts'
import { PAGE_BYTES } from '../../domain/comment/tree.ts'
import { articleIdOf } from '../threads/article-ids.ts'

const siteOf = (thread: string, column: string) =>
  sql`(select s.${sql.ref(column)} from sites s where s.id = ${sql.ref(`${thread}.site_id`)})`

/** When a thread closes automatically: at its own time, otherwise some days after its creation. */
export const closesAt = (thread: string) => sql`
  coalesce(${sql.ref(`${thread}.closes_at`)}, case when not ${sql.ref(`${thread}.stays_open`)} then
    ${sql.ref(`${thread}.created_at`)} + nullif(${siteOf(thread, 'close_after_days')}, 0) * interval '1 day' end)`

export const slowModeSeconds = (thread: string) => sql`
  coalesce(${sql.ref(`${thread}.slow_mode_seconds`)}, ${siteOf(thread, 'slow_mode_seconds')})`

const isNamed = sql`num_nonnulls(t.title, t.url) > 0`

/** The title and the URL of `threads t`: those that staff gave, or else those that a visible comment suggests. */
export const articleColumns = sql`
  case when ${isNamed} then t.title else t.suggested_title end as title,
  case when ${isNamed} then t.url else t.suggested_url end as url`

/** As `articleColumns`, for moderators: with the suggestion of `comments c`, if no visible comment has one. */
export const moderatedArticleColumns = sql`
  case when ${isNamed} then t.title when t.suggested_by is null then c.article_title
    else t.suggested_title end as article_title,
  case when ${isNamed} then t.url when t.suggested_by is null then c.article_url
    else t.suggested_url end as article_url,
  ${isNamed} as is_confirmed`

/** Whether staff named the article of `threads t`. */
export const isConfirmed = sql`${isNamed} as is_confirmed`

/** The columns of `threads t` that readers see. A thread after its closing time is closed. */
export const threadColumns = sql`
  t.id, ${articleIdOf('t')} as article_id, ${articleColumns}, t.version, t.comment_count, t.root_count, t.last_comment_at,
  case when t.state = 'open' and ${closesAt('t')} <= now() then 'closed' else t.state end as state,
  ${closesAt('t')} as closes_at, ${slowModeSeconds('t')} as slow_mode_seconds`

/** A thread that readers can know: it was visible once, and it is not hidden. */
export const threadIsVisible = sql`t.version > 0 and t.state <> 'hidden' and t.alias_of is null`

const COMMENT_COLUMNS =
  'thread_id id home_thread_id parent_id parent_home_thread_id depth status author_id revision ' +
  'created_at published_at edited_at pinned locked'
const TALLY_COLUMNS = 'score upvotes downvotes reply_count'

const listColumns = (alias: string, names: string) =>
  sql.raw(
    names
      .split(' ')
      .map((name) => `${alias}.${name}`)
      .join(', '),
  )

/** The columns of `comments c` and its `comment_tallies k` that every view shows. */
export const commentColumns = sql`
  ${listColumns('c', COMMENT_COLUMNS)}, ${listColumns('k', TALLY_COLUMNS)}, c.body, c.body_html`

/** The tally of `comments c`. "offset 0" keeps it one look-up per comment. */
export const joinTally = sql`
  cross join lateral (
    select * from comment_tallies k
    where k.site_id = c.site_id and k.thread_id = c.thread_id and k.comment_id = c.id offset 0
  ) k`

/** The comment of `comment_tallies k`, also one look-up, however large its thread is. */
export const joinCommentOfTally = sql`
  cross join lateral (
    select * from comments c
    where c.site_id = k.site_id and c.thread_id = k.thread_id and c.id = k.comment_id offset 0
  ) c`

/**
 * The row's number in `page`, and the bytes of text up to it. `isKept` rows stay whatever their size.
 * @param window the order of the rows, if they are not in order already
 */
export const placeColumns = (isKept = sql`false`, window = sql``) => sql`
  row_number() over (${window}) as position, ${isKept} as is_kept,
  sum(octet_length(c.body) + octet_length(c.body_html))
    over (${window} rows unbounded preceding) as bytes`

const isOver = sql`(not page.is_kept and page.position > 1 and page.bytes > ${PAGE_BYTES})`

/**
 * The columns of the rows of `page`. Rows beyond the page's bytes have no text and only say that a next page
 * exists; the first row always has its text.
 */
export const pageColumns = sql`
  ${listColumns('page', `${COMMENT_COLUMNS} ${TALLY_COLUMNS}`)}, page.key, ${isOver} as is_over,
  case when not ${isOver} then page.body end as body,
  case when not ${isOver} then page.body_html end as body_html`

export const authorColumns = sql`
  a.kind as author_kind, a.role as author_role, a.name as author_name, a.url as author_url,
  a.avatar_url as author_avatar_url, a.erased_at is not null as is_erased`

export type CommentRow = Omit<Comment, 'author' | 'articleId'> & {
  authorId: number
  authorKind: Author['kind']
  authorRole: Author['role']
  authorName: string
  authorUrl: string | null
  authorAvatarUrl: string | null
}

/** Converts the row in place: copying a hundred rows costs as much as reading them. */
export const toComment = <T extends CommentRow>(
  row: T,
  articleId: string,
): Omit<T, keyof CommentRow> & Comment => {
  const author: Author = {
    id: row.authorId,
    kind: row.authorKind,
    role: row.authorRole,
    name: row.authorName,
    url: row.authorUrl,
    avatarUrl: row.authorAvatarUrl,
  }
  return Object.assign(row, { author, articleId })
}
