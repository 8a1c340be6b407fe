import { sql } from 'kysely'
import type { Comment, Role } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { FlagReason } from '../../domain/moderation/flag.ts'
import type { OwnAppeal } from '../../domain/moderation/statement.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { joinAddress } from '../comments/addresses.ts'
import {
  authorColumns,
  type CommentRow,
  commentColumns,
  joinTally,
  toComment,
} from '../comments/rows.ts'
import { isInvisible, isVisible } from '../comments/visible.ts'
import type { Db } from '../connection/db.ts'
import { articleIdOf } from '../threads/article-ids.ts'

type OfAuthor = { readonly siteId: number; readonly authorId: number }
type Page = OfAuthor & { readonly after: CommentKey; readonly limit: number }

/** All stored data of an author. */
export type HeldAuthor = {
  readonly id: number
  readonly kind: 'guest' | 'member'
  readonly name: string
  readonly url: string | null
  readonly avatarUrl: string | null
  readonly email: string | null
  readonly emailVerified: boolean
  readonly subject: string | null
  readonly roles: readonly Role[]
  readonly tokenRolesIgnored: boolean
  readonly suspendedAt: Instant | null
  readonly location: string | null
  readonly createdAt: Instant
  readonly signedOnAt: Instant | null
  /** Until when a transfer code of the guest is valid. */
  readonly transferCodeUntil: Instant | null
}

export const findHeldAuthor = async (
  db: Db,
  { siteId, authorId }: OfAuthor,
): Promise<HeldAuthor | undefined> => {
  const { rows } = await sql<HeldAuthor>`
    select id, kind, name, url, avatar_url, email, email_verified, subject, location, created_at,
      signed_on_at, token_roles_ignored, suspended_at,
      (select expires_at from transfer_codes where site_id = ${siteId} and author_id = ${authorId}) as transfer_code_until,
      array(select distinct r from unnest(token_roles || granted_roles) r order by r)::text[] as roles
    from authors where site_id = ${siteId} and id = ${authorId}`.execute(db)
  return rows[0]
}

export type HeldComment = Comment & {
  readonly network: string | null
  /** Whether the comment is rejected, but shown to its author as published. */
  readonly isShadowed: boolean
}

/** All comments of an author, by thread and id. */
export const listHeldComments = async (db: Db, page: Page): Promise<HeldComment[]> => {
  const { siteId, authorId, after, limit } = page
  const of = (status: ReturnType<typeof sql>) => sql`
    select * from comments c where c.site_id = ${siteId} and c.author_id = ${authorId} and ${status}
      and (c.thread_id, c.id) > (${after.threadId}, ${after.id})
    order by c.thread_id, c.id limit ${limit}`
  const { rows } = await sql<
    CommentRow & { articleId: string } & Pick<HeldComment, 'network' | 'isShadowed'>
  >`
    select ${commentColumns}, d.network, c.shadowed and c.status = 'rejected' as is_shadowed, ${articleIdOf('t')} as article_id, ${authorColumns}
    from (
      (${of(isVisible('c.status'))}) union all (${of(isInvisible('c.status'))})
      order by thread_id, id limit ${limit}
    ) c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${joinTally} ${joinAddress}
    order by c.thread_id, c.id`.execute(db)
  return rows.map((row) => toComment(row, row.articleId) as unknown as HeldComment)
}

export type HeldRevision = {
  readonly commentId: number
  readonly revision: number
  readonly body: string
  readonly replacedAt: Instant
}

/** Earlier texts of comments, oldest first. */
export const listHeldRevisions = async (
  db: Db,
  siteId: number,
  commentIds: readonly number[],
): Promise<HeldRevision[]> => {
  const { rows } = await sql<HeldRevision>`
    select comment_id, revision, body, replaced_at from comment_revisions
    where site_id = ${siteId} and comment_id = any(${commentIds}::bigint[])
    order by comment_id, revision`.execute(db)
  return rows
}

/** The home thread of the comment that a row is about, which its public id needs. */
const homeColumn = (table: 'v' | 'f' | 'appeals') => sql`(
  select c.home_thread_id from comments c
  where c.site_id = ${sql.ref(`${table}.site_id`)} and c.thread_id = ${sql.ref(`${table}.thread_id`)}
    and c.id = ${sql.ref(`${table}.comment_id`)}) as home_thread_id`

export type HeldVote = CommentKey & { readonly value: -1 | 1; readonly at: Instant }

export const listHeldVotes = async (db: Db, page: Page): Promise<HeldVote[]> => {
  const { siteId, authorId, after, limit } = page
  const { rows } = await sql<HeldVote>`
    select v.thread_id, v.comment_id as id, ${homeColumn('v')}, v.value, v.voted_at as "at"
    from votes v
    where v.site_id = ${siteId} and v.author_id = ${authorId}
      and (v.thread_id, v.comment_id) > (${after.threadId}, ${after.id})
    order by v.thread_id, v.comment_id limit ${limit}`.execute(db)
  return rows
}

export type HeldAppeal = CommentKey &
  Pick<OwnAppeal, 'text' | 'at' | 'outcome' | 'note' | 'answeredAt'>

/** Appeals of an author, by thread and id of the comment. */
export const listHeldAppeals = async (db: Db, page: Page): Promise<HeldAppeal[]> => {
  const { siteId, authorId, after, limit } = page
  const { rows } = await sql<HeldAppeal>`
    select thread_id, comment_id as id, ${homeColumn('appeals')}, text, appealed_at as "at", outcome, note, answered_at
    from appeals
    where site_id = ${siteId} and author_id = ${authorId}
      and (thread_id, comment_id) > (${after.threadId}, ${after.id})
    order by thread_id, comment_id limit ${limit}`.execute(db)
  return rows
}

export type HeldNote = {
  readonly id: number
  readonly note: string
  readonly by: string
  readonly at: Instant
}

/** Moderators' notes about an author, oldest first. */
export const listHeldNotes = async (
  db: Db,
  { siteId, authorId, after, limit }: OfAuthor & { after: { id: number }; limit: number },
): Promise<HeldNote[]> => {
  const { rows } = await sql<HeldNote>`
    select id, note, noted_by as "by", noted_at as "at" from author_notes
    where site_id = ${siteId} and author_id = ${authorId} and id > ${after.id}
    order by id limit ${limit}`.execute(db)
  return rows
}

export type HeldFlag = CommentKey & {
  readonly reason: FlagReason
  readonly note: string | null
  readonly at: Instant
}

export const listHeldFlags = async (db: Db, page: Page): Promise<HeldFlag[]> => {
  const { siteId, authorId, after, limit } = page
  const { rows } = await sql<HeldFlag>`
    select f.thread_id, f.comment_id as id, ${homeColumn('f')}, f.reason, f.note, f.flagged_at as "at"
    from flags f
    where f.site_id = ${siteId} and f.author_id = ${authorId}
      and (f.thread_id, f.comment_id) > (${after.threadId}, ${after.id})
    order by f.thread_id, f.comment_id limit ${limit}`.execute(db)
  return rows
}
