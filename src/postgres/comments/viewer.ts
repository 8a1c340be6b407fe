import { sql } from 'kysely'
import type { Author, Comment } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { storedId } from '../../domain/stored-id.ts'
import { isNear } from '../connection/clock.ts'
import type { Db } from '../connection/db.ts'
import { listOwnTurnedDown, type StatedComment } from '../moderation/statements.ts'
import { findAuthor } from '../people/authors.ts'
import { threadIdOf } from '../threads/aliases.ts'
import { articleIdOf } from '../threads/article-ids.ts'
import { forWrite, type ThreadForWrite } from '../threads/threads.ts'
import { editedBy } from './comments.ts'
import { authorColumns, type CommentRow, commentColumns, joinTally, toComment } from './rows.ts'
import { isInvisible, isVisible } from './visible.ts'

export type OwnVote = CommentKey & { readonly value: -1 | 1 }

/** A comment of the author who asks. `isEditable` is false if its text is not theirs to change any more. */
export type OwnHeld = Comment & { readonly isEditable: boolean }
/** A comment of the author who asks, and that they see as published. */
export type OwnShown = CommentKey & { readonly createdAt: Instant }

/** The data in one thread that only one author sees. */
export type ViewerData = {
  readonly author: Author | undefined
  readonly votes: readonly OwnVote[]
  /** Held comments, newest first. */
  readonly pending: readonly OwnHeld[]
  /** Comments within the edit window that the author can edit, newest first. */
  readonly editable: readonly OwnShown[]
  /** Comments that may have been turned down, newest first. */
  readonly stated: readonly StatedComment[]
}

/** Finds a thread for an author who wants to post. Undefined before the first comment. */
export const findThreadToWrite = async (
  db: Db,
  siteId: number,
  articleId: string,
): Promise<ThreadForWrite | undefined> => {
  const { rows } = await sql<ThreadForWrite>`
    select ${forWrite} from threads
    where site_id = ${siteId} and id = ${threadIdOf(siteId, articleId)}`.execute(db)
  return rows[0]
}

type At = { readonly siteId: number; readonly threadId: number; readonly authorId: number }

export const findViewerData = async (
  db: Db,
  { limit, editWindowSeconds, ...at }: At & { limit: number; editWindowSeconds: number },
): Promise<ViewerData> => {
  const [author, votes, pending, editable, stated] = await Promise.all([
    findAuthor(db, at.siteId, at.authorId),
    listOwnVotes(db, at),
    listOwnHeld(db, at, limit),
    listOwnEditable(db, at, { limit, editWindowSeconds }),
    listOwnTurnedDown(db, { ...at, limit }),
  ])
  return { author, votes, pending, editable, stated }
}

/** Neither a lock, a redaction nor the edit of a moderator keeps the author of `comments c` from editing it. */
const isEditable = (authorId: number) => sql`(
  not c.locked and c.redacted_at is null
  and coalesce(${editedBy} = ${storedId('author', authorId)}, true))`

const listOwnEditable = async (
  db: Db,
  { siteId, threadId, authorId }: At,
  { limit, editWindowSeconds }: { limit: number; editWindowSeconds: number },
): Promise<OwnShown[]> => {
  const window = sql`make_interval(secs => ${editWindowSeconds})`
  const since = sql`now() - ${window}`
  const of = (isShown: ReturnType<typeof sql>) => sql`
    select c.thread_id, c.id, c.home_thread_id, c.created_at from comments c
    where c.site_id = ${siteId} and c.author_id = ${authorId} and c.thread_id = ${threadId} and ${isShown}
      and ${isNear('c.created_at', window, sql`now()`)}
      and ${isEditable(authorId)}`
  const { rows } = await sql<OwnShown>`
    ${of(sql`${isVisible('c.status')} and c.published_at > ${since}`)}
    union all
    ${of(sql`${isInvisible('c.status')} and c.shadowed and c.status = 'rejected'`)}
    order by id desc limit ${limit}`.execute(db)
  return rows
}

const listOwnVotes = async (db: Db, { siteId, threadId, authorId }: At): Promise<OwnVote[]> => {
  const { rows } = await sql<OwnVote>`
    select c.thread_id, c.id, c.home_thread_id, v.value from votes v
    join comments c
      on c.site_id = v.site_id and c.thread_id = v.thread_id and c.id = v.comment_id
    where v.site_id = ${siteId} and v.author_id = ${authorId} and v.thread_id = ${threadId}
      and ${isVisible('c.status')}`.execute(db)
  return rows
}

const listOwnHeld = async (
  db: Db,
  { siteId, threadId, authorId }: At,
  limit: number,
): Promise<OwnHeld[]> => {
  const { rows } = await sql<CommentRow & { articleId: string; isEditable: boolean }>`
    select ${commentColumns}, ${articleIdOf('t')} as article_id, ${isEditable(authorId)} as is_editable, ${authorColumns}
    from comments c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${joinTally}
    where c.site_id = ${siteId} and c.author_id = ${authorId} and c.thread_id = ${threadId}
      and ${isInvisible('c.status')} and c.status in ('pending', 'spam')
    order by c.id desc limit ${limit}`.execute(db)
  return rows.map((row) => toComment(row, row.articleId))
}
