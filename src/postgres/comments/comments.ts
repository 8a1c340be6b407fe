import { type RawBuilder, sql } from 'kysely'
import type { Comment } from '../../domain/comment/comment.ts'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import type { Db, Tx } from '../connection/db.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import { forEachWaiting, orSkip, type Waiting } from '../connection/transaction.ts'
import { storedBans, toJudgementColumns } from '../screening/stored-judgements.ts'
import { articleIdOf } from '../threads/article-ids.ts'
import { joinAddress } from './addresses.ts'
import { authorColumns, type CommentRow, commentColumns, joinTally, toComment } from './rows.ts'
import { isInvisible, staysDeleted } from './visible.ts'

/** A comment as a write needs it, in any status. */
export type CommentForWrite = Comment & {
  /** No moderator can restore the comment: its author withdrew it or is erased, or it is redacted. */
  readonly staysDeleted: boolean
  /** When the author withdrew the comment, and from which status. */
  readonly withdrawnAt: Instant | null
  readonly withdrawnFrom: Status | null
  readonly isRedacted: boolean
  readonly shadowed: boolean
  /** The title that the comment suggests, or has suggested, for its article. */
  readonly suggestedTitle: string | null
  /** The author or key that replaced the text last. Null: the text is the first. */
  readonly editedBy: string | null
  /** Null after the site's retention. */
  readonly addressHash: Buffer | null
  /** The bans that shadow the comment. Empty if the status alone decides who sees it. */
  readonly shadows: Facts['bans']
  /** The database's time of the read. */
  readonly readAt: Instant
}

/** The author or key that replaced the text of `comments c` last. Null if the text is the first. */
export const editedBy = sql`(
  select r.replaced_by from comment_revisions r where r.site_id = c.site_id and r.comment_id = c.id
    and r.revision = c.revision - 1)`

type CommentAt = { readonly siteId: number; readonly threadId: number; readonly id: number }
type CommentsAt = {
  readonly siteId: number
  readonly threadIds: readonly number[]
  readonly ids: readonly number[]
}
type ForWriteRow = CommentRow &
  Omit<CommentForWrite, keyof CommentRow> & { readonly articleId: string }

/** Locks the row until the transaction ends. */
export const findCommentForWrite = async (
  tx: Tx,
  at: CommentAt,
): Promise<CommentForWrite | undefined> =>
  (await tx.executeQuery(FIND_COMMENT_FOR_WRITE(at))).rows.map(toCommentForWrite)[0]

/** The result of `findCommentForWrite` from a row of its statement. */
export const toCommentForWrite = (row: ForWriteRow): CommentForWrite =>
  toComment(row, row.articleId)

const selectForWrite = (where: RawBuilder<unknown>) => sql`
  select ${commentColumns}, d.address_hash, clock_timestamp() as read_at,
    ${staysDeleted} as stays_deleted, c.withdrawn_at, c.withdrawn_from, c.shadowed,
    c.article_title as suggested_title,
    c.redacted_at is not null as is_redacted,
    ${editedBy} as edited_by,
    case when c.shadowed and c.status = 'rejected' then ${storedBans} else '[]' end as shadows,
    ${articleIdOf('t')} as article_id, ${authorColumns}
  from comments c
  join threads t on t.site_id = c.site_id and t.id = c.thread_id
  join authors a on a.site_id = c.site_id and a.id = c.author_id
  ${joinTally} ${joinAddress}
  where ${where}
  order by c.id for no key update of c`

const FIND_COMMENT_FOR_WRITE = prepare<CommentAt, ForWriteRow>((of) =>
  selectForWrite(
    sql`c.site_id = ${of.siteId} and c.thread_id = ${of.threadId} and c.id = ${of.id}`,
  ),
)

/** The statement of `findCommentForWrite`, for several comments. It locks them in order of id. */
export const findCommentsForWrite = (
  siteId: number,
  keys: readonly Pick<CommentKey, 'threadId' | 'id'>[],
  waiting: Waiting,
): Query<ForWriteRow> =>
  FIND_COMMENTS_FOR_WRITE[waiting]({
    siteId,
    threadIds: keys.map(({ threadId }) => threadId),
    ids: keys.map(({ id }) => id),
  })

const FIND_COMMENTS_FOR_WRITE = forEachWaiting((waiting) =>
  prepare<CommentsAt, ForWriteRow>(
    (of) => sql`
      ${selectForWrite(sql`c.site_id = ${of.siteId} and (c.thread_id, c.id) in (
        select * from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[]))`)} ${orSkip(waiting)}`,
  ),
)

/** Stores that the author deleted the comment, and takes its flags off the queue. The caller holds the thread lock. */
export const withdrawComment = async (
  tx: Tx,
  { siteId, threadId, id }: { siteId: number; threadId: number; id: number },
): Promise<void> => {
  await sql`
    with flagged as (
      update flags set resolved_at = clock_timestamp()
      where site_id = ${siteId} and thread_id = ${threadId} and comment_id = ${id} and resolved_at is null
    )
    update comments set withdrawn_at = clock_timestamp(), withdrawn_from = status, flag_count = 0
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}`.execute(tx)
}

/** Stores that a moderator removed the comment, also if its author withdrew it: the author cannot restore it then. */
export const removeWithdrawn = async (
  tx: Tx,
  { siteId, threadId, id }: { siteId: number; threadId: number; id: number },
): Promise<void> => {
  await sql`
    update comments set withdrawn_from = 'deleted'
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}
      and withdrawn_at is not null`.execute(tx)
}

/** Takes a withdrawal back; the flags that it took off the queue count again. */
export const restoreWithdrawn = async (
  tx: Tx,
  { siteId, threadId, id }: { siteId: number; threadId: number; id: number },
): Promise<void> => {
  await sql`
    with flagged as (
      update flags set resolved_at = null
      where site_id = ${siteId} and thread_id = ${threadId} and comment_id = ${id}
        and resolved_at is not null and resolved_by is null
      returning 1
    )
    update comments set withdrawn_at = null, withdrawn_from = null,
      flag_count = flag_count + (select count(*) from flagged)
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}`.execute(tx)
}

/** The stored judgement of a comment. */
export type StoredJudgement = {
  readonly policyVersion: number
  readonly facts: Facts
  readonly risk: number
  readonly trace: readonly Finding[]
}

/** The columns of a new judgement, for an update. */
export const toColumns = ({ policyVersion, risk, ...judged }: StoredJudgement) => ({
  policyVersion,
  risk,
  ...toJudgementColumns(judged),
})

/**
 * Finds a comment of the site and up to `ancestorCount` of its ancestors, nearest first, in any status. Only
 * for its author and for moderators.
 */
export const listWithAncestors = async (
  db: Db,
  at: { siteId: number; threadId: number; commentId: number; ancestorCount: number },
): Promise<Comment[]> => {
  const { rows } = await sql<CommentRow & { articleId: string }>`
    with recursive line as (
      select id, parent_id, 0 as distance from comments
      where site_id = ${at.siteId} and thread_id = ${at.threadId} and id = ${at.commentId}
      union all
      select c.id, c.parent_id, l.distance + 1 from line l join comments c
        on c.site_id = ${at.siteId} and c.thread_id = ${at.threadId} and c.id = l.parent_id
      where l.distance < ${at.ancestorCount}
    )
    select ${commentColumns}, ${articleIdOf('t')} as article_id, ${authorColumns}
    from line l
    join comments c on c.site_id = ${at.siteId} and c.thread_id = ${at.threadId} and c.id = l.id
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${joinTally}
    order by l.distance`.execute(db)
  return rows.map((row) => toComment(row, row.articleId))
}

/**
 * Starts or ends the shadow of a comment.
 * @returns the number of the author's shadowed replies to the comment
 */
export const shadowComment = async (
  tx: Tx,
  { siteId, threadId, id }: { siteId: number; threadId: number; id: number },
  shadowed: boolean,
): Promise<number> => {
  const { rows } = await sql<{ replies: number }>`
    update comments c set shadowed = ${shadowed}
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = ${id}
    returning (
      select count(*) from comments r
      join comment_tallies k
        on k.site_id = r.site_id and k.thread_id = r.thread_id and k.comment_id = r.id
      where r.site_id = c.site_id and r.author_id = c.author_id and r.thread_id = c.thread_id
        and r.parent_id = c.id and ${isInvisible('r.status')} and r.shadowed
        and r.status = 'rejected' and k.reply_count = 0
    ) as replies`.execute(tx)
  return rows[0]!.replies
}
