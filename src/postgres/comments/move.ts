import { sql } from 'kysely'
import type { BranchNode } from '../../domain/comment/branch.ts'
import type { Tx } from '../connection/db.ts'

/** Comments per statement. At 0.4 ms each, a statement stays far from the statement time-out. */
const BATCH = 500

export type Mover = BranchNode & { readonly depth: number; readonly locked: boolean }

/** The place of a comment in its thread, and whether readers can see it. */
export type Placed = Pick<BranchNode, 'id' | 'parentId'> & { readonly isVisible: boolean }

/**
 * Lists the places of a thread's comments from one id on, by id. It reads only tallies, which are narrow:
 * 200,000 take a quarter of a second. The caller holds the exclusive thread lock.
 */
export const listPlaced = async (
  tx: Tx,
  { siteId, threadId }: { siteId: number; threadId: number },
  { fromId, limit }: { fromId: number; limit?: number },
): Promise<Placed[]> => {
  const { rows } = await sql<Placed>`
    select comment_id as id, parent_id, is_visible from comment_tallies
    where site_id = ${siteId} and thread_id = ${threadId} and comment_id >= ${fromId}
    order by comment_id ${limit === undefined ? sql`` : sql`limit ${limit}`}`.execute(tx)
  return rows
}

/** Lists all comments of a thread from one id on, by id. The caller holds the exclusive thread lock. */
export const listMovers = async (
  tx: Tx,
  { siteId, threadId }: { siteId: number; threadId: number },
  fromId: number,
): Promise<Mover[]> => {
  const { rows } = await sql<Mover>`
    select id, parent_id, status, depth, locked from comments
    where site_id = ${siteId} and thread_id = ${threadId} and id >= ${fromId} order by id`.execute(
    tx,
  )
  return rows
}

export type Relocation = {
  readonly siteId: number
  readonly from: number
  readonly to: number
  readonly depthBy: number
  /** The top of the branch, which gets another parent. Its replies keep theirs. */
  readonly top?: {
    readonly id: number
    /** 0 if the top becomes a root. */
    readonly parentId: number
    readonly parentHomeThreadId: number | null
  }
}

/**
 * Moves comments to another thread, or to another depth of the same thread, with their votes, flags and all
 * other records. The caller holds the exclusive lock on both threads.
 */
export const relocate = async (
  tx: Tx,
  relocation: Relocation,
  ids: readonly number[],
): Promise<void> => {
  for (let at = 0; at < ids.length; at += BATCH) {
    const batch = ids.slice(at, at + BATCH)
    await relocateSome(tx, relocation, batch)
    if (relocation.from !== relocation.to) await bringAlong(tx, relocation, batch)
  }
}

const NO_TOP = { id: 0, parentId: 0, parentHomeThreadId: null }

/** A comment keeps the thread where it was posted. Tallies, votes and flags follow by their constraints. */
const relocateSome = async (
  tx: Tx,
  { siteId, from, to, depthBy, top = NO_TOP }: Relocation,
  ids: readonly number[],
): Promise<void> => {
  const parentHome = top.parentHomeThreadId ?? to
  await sql`
    update comments set thread_id = ${to}, depth = depth + ${depthBy},
      home_thread_id = nullif(coalesce(home_thread_id, thread_id), ${to}),
      parent_id = case when id = ${top.id} then ${top.parentId} else parent_id end,
      parent_home_thread_id = case
        when id = ${top.id} then nullif(${parentHome}::bigint, ${to})
        when parent_id <> 0 then nullif(coalesce(parent_home_thread_id, thread_id), ${to})
      end
    where site_id = ${siteId} and thread_id = ${from} and id = any(${ids}::bigint[])`.execute(tx)
  if (ids.includes(top.id))
    await sql`
      update comment_tallies set parent_id = ${top.parentId}
      where site_id = ${siteId} and thread_id = ${to} and comment_id = ${top.id}`.execute(tx)
}

const bringAlong = async (
  tx: Tx,
  { siteId, from, to }: Relocation,
  ids: readonly number[],
): Promise<void> => {
  for (const table of ['claims', 'appeals'] as const)
    await sql`
      update ${sql.table(table)} set thread_id = ${to}
      where site_id = ${siteId} and thread_id = ${from} and comment_id = any(${ids}::bigint[])`.execute(
      tx,
    )
  await sql`
    update batch_items set thread_id = ${to}
    where site_id = ${siteId} and thread_id = ${from} and comment_id = any(${ids}::bigint[])
      and batch_id in (select id from batches where site_id = ${siteId} and ended_at is null)`.execute(
    tx,
  )
}
