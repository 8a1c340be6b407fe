import { sql } from 'kysely'
import type { BranchNode } from '../../domain/comment/branch.ts'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Tx } from '../connection/db.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import { isVisible, staysDeleted } from './visible.ts'

type At = { readonly siteId: number; readonly threadId: number }

/** A comment that a decision names or cascades to. */
export type Decidable = BranchNode & {
  readonly publishedAt: Instant | null
  readonly flagCount: number
  readonly shadowed: boolean
}

/**
 * A new status for one comment. `publishedAt` is the restored time; without it the time follows from the status.
 * A comment does not stay shadowed, unless it is deleted or `shadowed` restores it.
 */
export type StatusTransition = {
  readonly threadId: number
  readonly id: number
  readonly from: Status
  readonly to: Status
  readonly publishedAt?: Instant | null
  readonly shadowed?: boolean
}

type Keys = {
  readonly siteId: number
  readonly threadIds: readonly number[]
  readonly ids: readonly number[]
}

const columnsOf = (siteId: number, keys: readonly Pick<CommentKey, 'threadId' | 'id'>[]): Keys => ({
  siteId,
  threadIds: keys.map(({ threadId }) => threadId),
  ids: keys.map(({ id }) => id),
})

/** A comment that a decision names. */
export type DecidableTarget = Decidable & {
  readonly threadId: number
  readonly staysDeleted: boolean
  readonly revision: number
}

/** The statement that finds comments. Its rows count for threads that the caller has locked exclusively before. */
export const findDecidables = (
  siteId: number,
  keys: readonly Pick<CommentKey, 'threadId' | 'id'>[],
): Query<DecidableTarget> => FIND_DECIDABLES(columnsOf(siteId, keys))

const FIND_DECIDABLES = prepare<Keys, DecidableTarget>(
  (of) => sql`
    select c.thread_id, c.id, c.parent_id, c.status, c.published_at, c.flag_count, c.shadowed,
      ${staysDeleted} as stays_deleted, c.revision
    from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
    where c.site_id = ${of.siteId} and (c.thread_id, c.id) in (
      select * from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[]))`,
)

/** Lists all comments of a thread from one id on, by id. */
export const listBranchNodes = async (tx: Tx, at: At, fromId: number): Promise<Decidable[]> =>
  tx
    .selectFrom('comments')
    .select(['id', 'parentId', 'status', 'publishedAt', 'flagCount', 'shadowed'])
    .where('siteId', '=', at.siteId)
    .where('threadId', '=', at.threadId)
    .where('id', '>=', fromId)
    .orderBy('id')
    .execute()

/**
 * Lists the comments among these of a thread that a decision on a comment above cannot take along: no moderator
 * can restore them, or, if they would be published, their present text was never public.
 */
export const listLeftOut = async (
  tx: Tx,
  { siteId, threadId }: At,
  { ids, isPublishing }: { ids: readonly number[]; isPublishing: boolean },
): Promise<ReadonlySet<number>> => {
  const wasHidden = sql`not exists (
    select from decisions d where d.site_id = c.site_id and d.comment_id = c.id
      and d.action = 'status' and ${isVisible('d.from_status')}
      and d.decided_at >= coalesce(c.edited_at, c.created_at))`
  const { rows } = await sql<{ id: number }>`
    select c.id from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = any(${ids}::bigint[])
      and (${staysDeleted} ${isPublishing ? sql`or ${wasHidden}` : sql``})`.execute(tx)
  return new Set(rows.map(({ id }) => id))
}

/** A comment on the way from a changed comment to its root. */
export type PathNode = BranchNode & { readonly threadId: number; readonly replyCount: number }

/** The statement that lists comments and all their ancestors, largest id first. */
export const listAncestorPaths = (
  siteId: number,
  keys: readonly Pick<CommentKey, 'threadId' | 'id'>[],
): Query<PathNode> => LIST_ANCESTOR_PATHS(columnsOf(siteId, keys))

const LIST_ANCESTOR_PATHS = prepare<Keys, PathNode>(
  (of) => sql`
    with recursive lines as (
      select thread_id, id, parent_id, status from comments
      where site_id = ${of.siteId} and (thread_id, id) in (
        select * from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[]))
      union
      select p.thread_id, p.id, p.parent_id, p.status from lines l join comments p
        on p.site_id = ${of.siteId} and p.thread_id = l.thread_id and p.id = l.parent_id
    )
    select l.*, k.reply_count from lines l cross join lateral (
      select reply_count from comment_tallies k
      where k.site_id = ${of.siteId} and k.thread_id = l.thread_id and k.comment_id = l.id offset 0
    ) k
    order by l.id desc`,
)

/** When a comment was first published; null if it never was. */
export type Publication = { readonly id: number; readonly publishedAt: Instant | null }

/**
 * The statement that gives comments their new statuses and changes nothing else. A comment that is published for
 * the first time gets its publication time. The rows are the publication times.
 */
export const updateStatuses = (
  siteId: number,
  moves: readonly StatusTransition[],
): Query<Publication> =>
  UPDATE_STATUSES({
    ...columnsOf(siteId, moves),
    statuses: moves.map(({ to }) => to),
    restored: moves.map(({ publishedAt }) => publishedAt !== undefined),
    publishedAt: moves.map(({ publishedAt }) => publishedAt ?? null),
    shadowed: moves.map(({ shadowed }) => shadowed ?? null),
  })

type StatusColumns = Keys & {
  readonly statuses: readonly Status[]
  readonly restored: readonly boolean[]
  readonly publishedAt: readonly (Instant | null)[]
  readonly shadowed: readonly (boolean | null)[]
}

const UPDATE_STATUSES = prepare<StatusColumns, Publication>(
  (of) => sql`
    with moved as (
      update comments c set status = m.to_status, changed_xid = pg_current_xact_id(),
      shadowed = coalesce(m.shadowed, c.shadowed and m.to_status = 'deleted'),
      published_at = case
      when m.is_restored then m.published_at
      when ${isVisible('m.to_status')} then coalesce(c.published_at, clock_timestamp())
      else c.published_at end
    from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[], ${of.statuses}::comment_status[],
      ${of.restored}::boolean[], ${of.publishedAt}::timestamptz[], ${of.shadowed}::boolean[])
      as m (thread_id, id, to_status, is_restored, published_at, shadowed)
    where c.site_id = ${of.siteId} and c.thread_id = m.thread_id and c.id = m.id
      returning c.thread_id, c.id, c.status, c.published_at
    ),
    tallied as (
      update comment_tallies k set is_visible = ${isVisible('moved.status')} from moved
      where k.site_id = ${of.siteId} and k.thread_id = moved.thread_id and k.comment_id = moved.id
        and k.is_visible <> (${isVisible('moved.status')})
    )
    select id, published_at from moved`,
)

export type ReplyCount = { readonly threadId: number; readonly id: number; readonly count: number }

/**
 * The statements that store new reply counts. The time of the newest reply comes from the replies that are shown by
 * now, so it is a statement of its own. A tally that stays the same is not written: each write enters six indexes.
 */
export const writeReplyCounts = (
  siteId: number,
  counts: readonly ReplyCount[],
): readonly [Query | undefined, Query | undefined] => {
  if (counts.length === 0) return [undefined, undefined]
  const keys = columnsOf(siteId, counts)
  const numbers = counts.map(({ count }) => count)
  return [UPDATE_REPLY_COUNTS({ ...keys, counts: numbers }), UPDATE_NEWEST_REPLIES(keys)]
}

const UPDATE_REPLY_COUNTS = prepare<Keys & { readonly counts: readonly number[] }, unknown>(
  (of) => sql`
    update comment_tallies k set reply_count = n.reply_count
    from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[], ${of.counts}::int[])
      as n (thread_id, id, reply_count)
    where k.site_id = ${of.siteId} and k.thread_id = n.thread_id and k.comment_id = n.id
      and k.reply_count <> n.reply_count`,
)

const UPDATE_NEWEST_REPLIES = prepare<Keys, unknown>(
  (of) => sql`
    update comment_tallies k set active_at = newest.active_at
    from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[]) as n (thread_id, id)
    cross join lateral (
      select greatest(p.created_at, (
        select max(r.created_at) from comment_tallies r
        where r.site_id = ${of.siteId} and r.thread_id = n.thread_id and r.parent_id = n.id and r.shown
      )) as active_at from comment_tallies p
      where p.site_id = ${of.siteId} and p.thread_id = n.thread_id and p.comment_id = n.id
    ) newest
    where k.site_id = ${of.siteId} and k.thread_id = n.thread_id and k.comment_id = n.id
      and k.active_at <> newest.active_at`,
)
