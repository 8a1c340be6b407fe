import { sql } from 'kysely'
import type { ThreadState } from '../../domain/comment/comment.ts'
import type { Status } from '../../domain/comment/status.ts'
import type { Outcome } from '../../domain/moderation/decision.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { staysDeleted } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'
import { matchesFilter, type QueueFilter } from '../moderation/queue-filter.ts'
import type { Batch } from './batches.ts'

type Id = Pick<Batch, 'siteId' | 'id'>

/** An unprocessed comment or thread of a batch. */
export type OpenItem = {
  readonly threadId: number
  /** The comment; 0 for a thread. */
  readonly id: number
  /** The status that the comment must still have. */
  readonly seen: Status
  /** The revision that the comment must still have; null for any. */
  readonly revision: number | null
  /** The state that the thread must still have. */
  readonly seenState: ThreadState | null
  /** The decision to undo. */
  readonly undoes: number | null
}

/** A comment or a thread of a batch, and its outcome. */
export type Item = {
  readonly comment: CommentKey
  /** The article of a thread; null for a comment. */
  readonly articleId: string | null
  readonly outcome: Outcome | null
  readonly decisionId: number | null
}

/** Comments per statement, so that it stays far from the statement time-out. */
const RANGE = 10_000

/** A comment of a request, with the status and the revision that the moderator saw. */
export type SeenComment = {
  readonly key: CommentKey
  /** Undefined for the current status. */
  readonly from: Status | undefined
  /** Undefined for any text. */
  readonly revision: number | undefined
}

/** Adds comments by their ids. A comment that does not exist gets its outcome immediately. */
export const insertItemsByKey = async (
  tx: Tx,
  { siteId, id: batchId }: Id,
  comments: readonly SeenComment[],
): Promise<void> => {
  await sql`
    insert into batch_items (site_id, batch_id, thread_id, comment_id, place, seen, revision, outcome)
    select ${siteId}, ${batchId}, coalesce(c.thread_id, k.thread_id), k.id, k.place,
      coalesce(k.seen, c.status), k.revision, case when c.id is null then 'not_found'::batch_outcome end
    from unnest(${comments.map(({ key }) => key.threadId)}::bigint[],
      ${comments.map(({ key }) => key.id)}::bigint[], ${comments.map(({ from }) => from)}::comment_status[],
      ${comments.map(({ revision }) => revision)}::int[])
      with ordinality as k (thread_id, id, seen, revision, place)
    left join comments m
      on m.site_id = ${siteId} and m.id = k.id and m.home_thread_id = k.thread_id
    left join comments c
      on c.site_id = ${siteId} and c.thread_id = coalesce(m.thread_id, k.thread_id) and c.id = k.id
    on conflict do nothing`.execute(tx)
}

/**
 * Adds the comments that a filter matches now. With a snapshot, a comment that got its text or its status after
 * the snapshot gets its outcome immediately, and each other one must keep its revision.
 */
export const insertItemsByFilter = async (
  tx: Tx,
  { siteId, id: batchId }: Id,
  { filter, asOf }: { filter: QueueFilter; asOf: string | undefined },
): Promise<void> => {
  const isSeen = sql`coalesce(pg_visible_in_snapshot(c.changed_xid, ${asOf}::pg_snapshot), true)`
  const seen =
    asOf === undefined
      ? sql`null, null`
      : sql`c.revision,
    case when not ${isSeen} then 'changed_since'::batch_outcome end`
  for (const status of filter.statuses)
    for await (const [after, last] of ranges(tx, siteId, status))
      await sql`
        insert into batch_items (site_id, batch_id, thread_id, comment_id, place, seen, revision, outcome)
        select ${siteId}, ${batchId}, c.thread_id, c.id, 0, c.status, ${seen} from comments c
        where c.site_id = ${siteId} and c.status = ${sql.lit(status)}
          and c.id > ${after} and c.id <= ${last} and ${matchesFilter(siteId, filter)}`.execute(tx)
}

/** The ids of all comments with a status, in ranges of limited size. */
export async function* ranges(
  tx: Tx,
  siteId: number,
  status: Status,
): AsyncGenerator<[after: number, last: number]> {
  for (let after = 0; ; ) {
    const { rows } = await sql<{ last: number | null }>`
      select max(id) as last from (
        select id from comments
        where site_id = ${siteId} and status = ${sql.lit(status)} and id > ${after}
        order by id limit ${RANGE}
      ) c`.execute(tx)
    const last = rows[0]!.last
    if (last === null) return
    yield [after, last]
    after = last
  }
}

/** Adds every comment or thread that another batch changed, with that batch's decision. */
export const insertItemsOfBatch = async (
  tx: Tx,
  { siteId, id: batchId }: Id,
  undoneId: number,
): Promise<void> => {
  await sql`
    insert into batch_items (site_id, batch_id, thread_id, comment_id, place, article_id, seen, undoes)
    select ${siteId}, ${batchId}, coalesce(m.thread_id, d.thread_id), coalesce(d.comment_id, 0), 0,
      case when d.comment_id is null then d.subject end, d.to_status, d.id
    from decisions d
    left join comments m
      on m.site_id = d.site_id and m.id = d.comment_id and m.home_thread_id = d.thread_id
    where d.site_id = ${siteId} and d.batch_id = ${undoneId}`.execute(tx)
}

/** Stores the number of items after all are added. */
export const countTotal = async (tx: Tx, { siteId, id }: Id): Promise<number> => {
  const { rows } = await sql<{ total: number }>`
    update batches set total = (
      select count(*) from batch_items where site_id = ${siteId} and batch_id = ${id})
    where site_id = ${siteId} and id = ${id} returning total`.execute(tx)
  return rows[0]!.total
}

/** Lists unprocessed items, thread by thread. */
export const listOpenItems = async (
  db: Db,
  { siteId, id }: Id,
  limit: number,
): Promise<OpenItem[]> => {
  const { rows } = await sql<OpenItem>`
    select thread_id, comment_id as id, seen, seen_state, revision, undoes from batch_items
    where site_id = ${siteId} and batch_id = ${id} and outcome is null
    order by thread_id, comment_id limit ${limit}`.execute(db)
  return rows
}

/** Lists the items of one thread that are still unprocessed. The caller has locked the batch. */
export const listStillOpen = async (
  tx: Tx,
  { siteId, id }: Id,
  { threadId, ids }: { threadId: number; ids: readonly number[] },
): Promise<ReadonlySet<number>> => {
  const { rows } = await sql<{ id: number }>`
    select comment_id as id from batch_items
    where site_id = ${siteId} and batch_id = ${id} and thread_id = ${threadId}
      and comment_id = any(${ids}::bigint[]) and outcome is null`.execute(tx)
  return new Set(rows.map((row) => row.id))
}

type SettledItem = {
  readonly id: number
  readonly outcome: Outcome
  readonly decisionId: number | null
}

/** Stores the outcomes of one thread's comments. Comments outside the batch were changed by a cascade. */
export const settleItems = async (
  tx: Tx,
  { siteId, id }: Id,
  { threadId, settled }: { threadId: number; settled: readonly SettledItem[] },
): Promise<void> => {
  await sql`
    update batch_items i set outcome = s.outcome, decision_id = s.decision_id
    from unnest(${settled.map((one) => one.id)}::bigint[],
      ${settled.map(({ outcome }) => outcome)}::batch_outcome[],
      ${settled.map(({ decisionId }) => decisionId)}::bigint[]) as s (id, outcome, decision_id)
    where i.site_id = ${siteId} and i.batch_id = ${id} and i.thread_id = ${threadId}
      and i.comment_id = s.id and i.outcome is null`.execute(tx)
}

/** Counts the processed items, and ends the batch if all are processed. */
export const countItems = async (db: Db, { siteId, id }: Id): Promise<void> => {
  await sql`
    update batches b
    set done = n.done, changed = n.changed, outcomes = n.outcomes,
      ended_at = case when n.done = b.total then coalesce(b.ended_at, clock_timestamp()) end
    from (
      select coalesce(sum(number), 0) as done,
        coalesce(sum(number) filter (where outcome = 'changed'), 0) as changed,
        coalesce(jsonb_object_agg(outcome, number), '{}') as outcomes
      from (
        select outcome, count(*) as number from batch_items
        where site_id = ${siteId} and batch_id = ${id} and outcome is not null group by outcome
      ) o
    ) n
    where b.site_id = ${siteId} and b.id = ${id}`.execute(db)
}

/** Lists items in the order of the request. */
export const listItems = async (
  db: Db,
  { siteId, id }: Id,
): Promise<(Item & { readonly threadId: number })[]> => {
  const { rows } = await sql<{
    threadId: number
    homeThreadId: number
    id: number
    articleId: string | null
    outcome: Outcome | null
    decisionId: number | null
  }>`
    select i.thread_id, coalesce(c.home_thread_id, i.thread_id) as home_thread_id, i.comment_id as id,
      i.article_id, i.outcome, i.decision_id
    from batch_items i left join comments c
      on c.site_id = i.site_id and c.thread_id = i.thread_id and c.id = i.comment_id
    where i.site_id = ${siteId} and i.batch_id = ${id}
    order by i.place, i.comment_id`.execute(db)
  return rows.map(({ homeThreadId, id, ...item }) => ({
    ...item,
    comment: { threadId: homeThreadId, id },
  }))
}

/** An item before it is processed. */
export type DryRunItem = {
  readonly seen: Status | null
  /** Null if the comment does not exist. */
  readonly status: Status | null
  readonly staysDeleted: boolean
  /** The revision now, and the one that the moderator saw. */
  readonly revision: number
  readonly seenRevision: number | null
  /** Set if the comment has its outcome already. */
  readonly outcome: Outcome | null
}

/** Lists the data that a dry run needs of each item, in the order of the request. */
export const listDryRunItems = async (
  db: Db,
  { siteId, id }: Id,
): Promise<(DryRunItem & { readonly threadId: number; readonly comment: CommentKey })[]> => {
  const { rows } = await sql<DryRunItem & { threadId: number; homeThreadId: number; id: number }>`
    select i.seen, c.status, coalesce(${staysDeleted}, false) as stays_deleted,
      c.revision, i.revision as seen_revision, i.outcome,
      i.thread_id, coalesce(c.home_thread_id, i.thread_id) as home_thread_id, i.comment_id as id
    from batch_items i
    left join comments c on c.site_id = i.site_id and c.thread_id = i.thread_id and c.id = i.comment_id
    left join authors a on a.site_id = c.site_id and a.id = c.author_id
    where i.site_id = ${siteId} and i.batch_id = ${id}
    order by i.place, i.comment_id`.execute(db)
  return rows.map(({ homeThreadId, id, ...facts }) => ({
    ...facts,
    comment: { threadId: homeThreadId, id },
  }))
}

/**
 * Counts equal items of a batch that a filter has just filled. The items then have the status that the
 * moderator saw, and only deleted comments can be withdrawn or of erased authors.
 */
export const countDryRunItems = async (
  db: Db,
  { siteId, id }: Id,
): Promise<(DryRunItem & { readonly number: number })[]> => {
  const ofBatch = sql`i.site_id = ${siteId} and i.batch_id = ${id}`
  const { rows } = await sql<DryRunItem & { number: number }>`
    select seen, seen as status, false as stays_deleted, 0 as revision, null::int as seen_revision,
      outcome, count(*) as number
    from batch_items i where ${ofBatch} and seen <> 'deleted' group by seen, outcome
    union all
    select 'deleted', 'deleted', ${staysDeleted}, 0, null, i.outcome, count(*) from batch_items i
    join comments c on c.site_id = i.site_id and c.thread_id = i.thread_id and c.id = i.comment_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    where ${ofBatch} and i.seen = 'deleted' group by 3, i.outcome`.execute(db)
  return rows
}

/** Deletes the items of batches that ended a day ago. @returns the number of rows */
export const deleteOldItems = async (tx: Tx, limit: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from batch_items where (site_id, batch_id, thread_id, comment_id) in (
      select i.site_id, i.batch_id, i.thread_id, i.comment_id from batch_items i
      join batches b on b.site_id = i.site_id and b.id = i.batch_id
      where b.ended_at < now() - interval '1 day' limit ${limit})`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
