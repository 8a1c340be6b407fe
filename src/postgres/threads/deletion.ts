import { sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'
import { freeAliases } from './aliases.ts'

type OfThread = { readonly siteId: number; readonly threadId: number }

/** How much a thread contains. */
export type ThreadCounts = {
  readonly comments: number
  readonly authors: number
  readonly votes: number
}

export const countThread = async (
  db: Db,
  { siteId, threadId }: OfThread,
): Promise<ThreadCounts> => {
  const { rows } = await sql<ThreadCounts>`
    select count(*) as comments, count(distinct author_id) as authors,
      (select count(*) from votes v where v.site_id = ${siteId} and v.thread_id = ${threadId}) as votes
    from comments c where c.site_id = ${siteId} and c.thread_id = ${threadId}`.execute(db)
  return rows[0]!
}

/**
 * Hides a thread for good and takes its article and its aliases away, which can begin other threads. The caller holds
 * the exclusive thread lock. No article of a site can have the name that the thread gets.
 */
export const markThreadDeleted = async (tx: Tx, { siteId, threadId }: OfThread): Promise<void> => {
  await sql`
    update threads set deleted_at = clock_timestamp(), state = 'hidden', title = null, url = null,
      article_id = ${'\u007f'} || gen_random_uuid(), long_article_id = null
    where site_id = ${siteId} and id = ${threadId}`.execute(tx)
  await freeAliases(tx, { siteId, threadId })
}

/** Whether one of these threads was deleted, is being deleted, or became an alias. */
export const isAnyThreadDeleted = async (
  tx: Tx,
  siteId: number,
  ids: readonly number[],
): Promise<boolean> => {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from threads
    where site_id = ${siteId} and id = any(${ids}::bigint[]) and deleted_at is null
      and alias_of is null`.execute(tx)
  return rows[0]!.n < new Set(ids).size
}

const WITH_COMMENTS = ['flags', 'votes', 'comment_tallies'] as const
const AFTER_COMMENTS = ['appeals', 'claims', 'arrivals'] as const

/** The steps that delete the rows of a deleted thread. Each returns the number of rows, at most `limit`. */
export const THREAD_DELETION_STEPS: readonly ((
  tx: Tx,
  at: OfThread & { limit: number },
) => Promise<number>)[] = [
  ...WITH_COMMENTS.map(
    (table) => (tx: Tx, at: OfThread & { limit: number }) => deleteSomeOf(tx, table, at),
  ),
  (tx, at) => deleteSomeComments(tx, at),
  ...AFTER_COMMENTS.map(
    (table) => (tx: Tx, at: OfThread & { limit: number }) => deleteSomeOf(tx, table, at),
  ),
]

const deleteSomeOf = async (
  tx: Tx,
  table: string,
  { siteId, threadId, limit }: OfThread & { limit: number },
): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from ${sql.table(table)} where site_id = ${siteId} and ctid = any(array(
      select ctid from ${sql.table(table)}
      where site_id = ${siteId} and thread_id = ${threadId} limit ${limit}))`.execute(tx)
  return Number(numAffectedRows ?? 0)
}

/** Deletes comments with their revisions, addresses and ids in other systems, replies before their parents. */
const deleteSomeComments = async (
  tx: Tx,
  { siteId, threadId, limit }: OfThread & { limit: number },
): Promise<number> => {
  const { rows } = await sql<{ n: number }>`
    with gone as (
      delete from comments where site_id = ${siteId} and thread_id = ${threadId} and id = any(array(
        select id from comments where site_id = ${siteId} and thread_id = ${threadId}
        order by id desc limit ${limit}))
      returning id, created_at
    ),
    revisions as (
      delete from comment_revisions r using gone
      where r.site_id = ${siteId} and r.comment_id = gone.id
    ),
    addresses as (
      delete from comment_addresses d using gone
      where d.site_id = ${siteId} and d.written_at = gone.created_at and d.comment_id = gone.id
    ),
    imported as (
      delete from imported_comments i using gone
      where i.site_id = ${siteId} and i.comment_id = gone.id
    )
    select count(*)::int as n from gone`.execute(tx)
  return rows[0]!.n
}

export const deleteThreadRow = async (tx: Tx, { siteId, threadId }: OfThread): Promise<void> => {
  await sql`
    delete from threads
    where site_id = ${siteId} and id = ${threadId} and deleted_at is not null`.execute(tx)
}
