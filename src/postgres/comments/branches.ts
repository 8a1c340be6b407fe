import { sql } from 'kysely'
import type { BranchNode } from '../../domain/comment/branch.ts'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Tx } from '../connection/db.ts'
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
  readonly id: number
  readonly from: Status
  readonly to: Status
  readonly publishedAt?: Instant | null
  readonly shadowed?: boolean
}

/** Finds comments of the thread by id. The caller holds the exclusive thread lock. */
export const findDecidables = async (
  tx: Tx,
  { siteId, threadId }: At,
  ids: readonly number[],
): Promise<
  ReadonlyMap<number, Decidable & { readonly staysDeleted: boolean; readonly revision: number }>
> => {
  const { rows } = await sql<Decidable & { staysDeleted: boolean; revision: number }>`
    select c.id, c.parent_id, c.status, c.published_at, c.flag_count, c.shadowed,
      ${staysDeleted} as stays_deleted, c.revision
    from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = any(${ids}::bigint[])`.execute(
    tx,
  )
  return new Map(rows.map((row) => [row.id, row]))
}

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

/** Lists comments and all their ancestors, largest id first. */
export const listAncestorPaths = async (
  tx: Tx,
  { siteId, threadId }: At,
  ids: readonly number[],
): Promise<(BranchNode & { readonly replyCount: number })[]> => {
  const { rows } = await sql<BranchNode & { replyCount: number }>`
    with recursive lines as (
      select id, parent_id, status from comments
      where site_id = ${siteId} and thread_id = ${threadId} and id = any(${ids}::bigint[])
      union
      select p.id, p.parent_id, p.status from lines l join comments p
        on p.site_id = ${siteId} and p.thread_id = ${threadId} and p.id = l.parent_id
    )
    select l.*, k.reply_count from lines l cross join lateral (
      select reply_count from comment_tallies k
      where k.site_id = ${siteId} and k.thread_id = ${threadId} and k.comment_id = l.id offset 0
    ) k
    order by l.id desc`.execute(tx)
  return rows
}

/**
 * Gives comments their new statuses and changes nothing else. A comment that is published for the first time
 * gets its publication time.
 * @returns the publication time of each comment
 */
export const updateStatuses = async (
  tx: Tx,
  { siteId, threadId }: At,
  moves: readonly StatusTransition[],
): Promise<ReadonlyMap<number, Instant | null>> => {
  const { rows } = await sql<{ id: number; publishedAt: Instant | null }>`
    with moved as (
      update comments c set status = m.to_status, changed_xid = pg_current_xact_id(),
      shadowed = coalesce(m.shadowed, c.shadowed and m.to_status = 'deleted'),
      published_at = case
      when m.is_restored then m.published_at
      when ${isVisible('m.to_status')} then coalesce(c.published_at, clock_timestamp())
      else c.published_at end
    from unnest(${moves.map(({ id }) => id)}::bigint[],
      ${moves.map(({ to }) => to)}::comment_status[],
      ${moves.map(({ publishedAt }) => publishedAt !== undefined)}::boolean[],
      ${moves.map(({ publishedAt }) => publishedAt ?? null)}::timestamptz[],
      ${moves.map(({ shadowed }) => shadowed ?? null)}::boolean[])
      as m (id, to_status, is_restored, published_at, shadowed)
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = m.id
      returning c.id, c.status, c.published_at
    ),
    tallied as (
      update comment_tallies k set is_visible = ${isVisible('moved.status')} from moved
      where k.site_id = ${siteId} and k.thread_id = ${threadId} and k.comment_id = moved.id
        and k.is_visible <> (${isVisible('moved.status')})
    )
    select id, published_at from moved`.execute(tx)
  return new Map(rows.map(({ id, publishedAt }) => [id, publishedAt]))
}

/**
 * Stores new reply counts. The time of the newest reply comes from the replies that are shown by now, so this
 * is a statement of its own. A tally that stays the same is not written: each write enters six indexes.
 */
export const writeReplyCounts = async (
  tx: Tx,
  { siteId, threadId }: At,
  counts: ReadonlyMap<number, number>,
): Promise<void> => {
  const ids = [...counts.keys()]
  await sql`
    update comment_tallies k set reply_count = n.reply_count
    from unnest(${ids}::bigint[], ${[...counts.values()]}::int[]) as n (id, reply_count)
    where k.site_id = ${siteId} and k.thread_id = ${threadId} and k.comment_id = n.id
      and k.reply_count <> n.reply_count`.execute(tx)
  await sql`
    update comment_tallies k set active_at = newest.active_at
    from unnest(${ids}::bigint[]) as n (id) cross join lateral (
      select greatest(p.created_at, (
        select max(r.created_at) from comment_tallies r
        where r.site_id = ${siteId} and r.thread_id = ${threadId} and r.parent_id = n.id and r.shown
      )) as active_at from comment_tallies p
      where p.site_id = ${siteId} and p.thread_id = ${threadId} and p.comment_id = n.id
    ) newest
    where k.site_id = ${siteId} and k.thread_id = ${threadId} and k.comment_id = n.id
      and k.active_at <> newest.active_at`.execute(tx)
}
