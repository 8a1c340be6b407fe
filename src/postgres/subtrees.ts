import { sql } from 'kysely'
import type { Instant } from '../domain/instant.ts'
import { isVisible, type Status } from '../domain/status.ts'
import { descendantsOf, type Member, type Tally, tally } from '../domain/subtree.ts'
import type { Tx } from './connection/db.ts'

/** A statement on a subtree of any size stays far from the statement time-out. */
const BATCH = 1_000

type SubtreeMove = { siteId: number; threadId: number; topId: number; from: Status; to: Status }

/**
 * Moves every comment below `topId` that has the status `from`, and counts the subtree's replies
 * anew, the top's own included. The thread is held alone, so no other writer can come between. What
 * erased authors wrote does not come back along with the others.
 * @returns what moved, and how many direct replies of the top are shown now
 */
export const moveDescendants = async (
  tx: Tx,
  move: SubtreeMove,
): Promise<{ moved: Member[]; topReplyCount: number }> => {
  const { topId, from, to } = move
  const members = await listMembers(tx, move)
  const below = descendantsOf(topId, members)
  const isReturn = from === 'deleted' || isVisible(to)
  const erased = isReturn ? await listErased(tx, move) : new Set()
  const moved = below.filter(({ id, status }) => status === from && !erased.has(id))
  const movedIds = new Set(moved.map(({ id }) => id))
  for (const batch of batches([...movedIds])) await moveAll(tx, move, batch)
  const top = members[0]!
  const after = [top, ...below.map((m) => (movedIds.has(m.id) ? { ...m, status: to } : m))]
  return { moved, topReplyCount: await recount(tx, move, after) }
}

const listMembers = async (tx: Tx, { siteId, threadId, topId }: SubtreeMove): Promise<Member[]> => {
  const rows = await tx
    .selectFrom('comments')
    .select(['id', 'parentId', 'status', 'createdAt'])
    .where('siteId', '=', siteId)
    .where('threadId', '=', threadId)
    .where('id', '>=', topId)
    .orderBy('id')
    .execute()
  return rows
}

const listErased = async (
  tx: Tx,
  { siteId, threadId, topId, from }: SubtreeMove,
): Promise<ReadonlySet<number>> => {
  const { rows } = await sql<{ id: number }>`
    select c.id from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id > ${topId}
      and c.status = ${from} and a.erased_at is not null`.execute(tx)
  return new Set(rows.map(({ id }) => id))
}

const moveAll = async (
  tx: Tx,
  { siteId, threadId, to }: SubtreeMove,
  ids: readonly number[],
): Promise<void> => {
  await tx
    .updateTable('comments')
    .set({
      status: to,
      ...(isVisible(to) && {
        publishedAt: sql<Instant>`coalesce(published_at, clock_timestamp())`,
      }),
    })
    .where('siteId', '=', siteId)
    .where('threadId', '=', threadId)
    .where('id', '=', sql<number>`any(${ids}::bigint[])`)
    .execute()
}

const recount = async (tx: Tx, move: SubtreeMove, members: readonly Member[]): Promise<number> => {
  const tallies = tally(members)
  for (const batch of batches([...tallies])) await writeTallies(tx, move, batch)
  return tallies.get(move.topId)!.replyCount
}

const writeTallies = async (
  tx: Tx,
  { siteId, threadId }: SubtreeMove,
  batch: readonly (readonly [number, Tally])[],
): Promise<void> => {
  const ids = batch.map(([id]) => id)
  const counts = batch.map(([, { replyCount }]) => replyCount)
  const times = batch.map(([, { activeAt }]) => activeAt)
  await sql`
    update comments c set reply_count = n.reply_count, active_at = n.active_at
    from unnest(${ids}::bigint[], ${counts}::int[], ${times}::timestamptz[])
      as n (id, reply_count, active_at)
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = n.id
      and (c.reply_count, c.active_at) is distinct from (n.reply_count, n.active_at)`.execute(tx)
}

function* batches<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += BATCH) yield all.slice(at, at + BATCH)
}
