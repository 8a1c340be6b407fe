import { sql } from 'kysely'
import type { Tx } from '../connection/db.ts'
import { orSkip, type Waiting } from '../connection/transaction.ts'
import { joinCommentOfTally } from './rows.ts'
import { isVisibleOrShadowed } from './visible.ts'

/** A comment as votes need it: readers can read it, in a thread that they can read. */
export type Votable = {
  readonly id: number
  readonly authorId: number
  readonly upvotes: number
  readonly downvotes: number
  /** The comment or its thread takes no votes. */
  readonly locked: boolean
  /** The author who alone sees the comment. For others it does not exist. */
  readonly isShadowed: boolean
}

/**
 * Finds comments that readers, or only their authors, can read, by id. It locks their tallies until the
 * transaction ends, in descending order of id, as every write does. The caller holds the thread locks.
 * @param waiting `skip` leaves out the comments whose tallies another transaction has locked
 */
export const lockVotableRows = async (
  tx: Tx,
  siteId: number,
  comments: readonly Pick<VoteRow, 'threadId' | 'commentId'>[],
  waiting: Waiting,
): Promise<ReadonlyMap<number, Votable>> => {
  const { rows } = await sql<Votable>`
    select c.id, c.author_id, k.upvotes, k.downvotes, c.locked or t.state = 'locked' as locked,
      c.shadowed as is_shadowed
    from comment_tallies k
    join threads t on t.site_id = k.site_id and t.id = k.thread_id
    ${joinCommentOfTally}
    where k.site_id = ${siteId} and (k.thread_id, k.comment_id) in (
        select * from unnest(${comments.map(({ threadId }) => threadId)}::bigint[],
          ${comments.map(({ commentId }) => commentId)}::bigint[]))
      and t.state <> 'hidden' and t.deleted_at is null and ${isVisibleOrShadowed('c')}
    order by k.comment_id desc for no key update of k ${orSkip(waiting)}`.execute(tx)
  return new Map(rows.map((row) => [row.id, row]))
}

export type VoteRow = {
  readonly threadId: number
  readonly commentId: number
  readonly authorId: number
  readonly value: -1 | 0 | 1
  /** The hash of a guest's address; null for a member. */
  readonly addressHash: Buffer | null
}

/** Lists the votes of these voters on these comments, and the votes of guests from the same networks. */
export const listVotesAndNetworkVotes = async (
  tx: Tx,
  siteId: number,
  votes: readonly VoteRow[],
): Promise<VoteRow[]> => {
  const { rows } = await sql<VoteRow>`
    select distinct v.thread_id, v.comment_id, v.author_id, v.value, v.address_hash
    from unnest(${votes.map(({ threadId }) => threadId)}::bigint[],
      ${votes.map(({ commentId }) => commentId)}::bigint[],
      ${votes.map(({ authorId }) => authorId)}::bigint[],
      ${votes.map(({ addressHash }) => addressHash)}::bytea[])
      as asked (thread_id, comment_id, author_id, address_hash)
    cross join lateral (
      select * from votes
      where site_id = ${siteId} and thread_id = asked.thread_id and comment_id = asked.comment_id
        and author_id = asked.author_id
      union all
      select * from votes
      where site_id = ${siteId} and thread_id = asked.thread_id and comment_id = asked.comment_id
        and address_hash = asked.address_hash
    ) v`.execute(tx)
  return rows
}

/**
 * Replaces votes; 0 removes a vote. Each voter occurs once per comment. A changed vote keeps its first time
 * and network, for which it counts.
 */
export const writeVotes = async (
  tx: Tx,
  siteId: number,
  votes: readonly VoteRow[],
): Promise<void> => {
  await sql`
    with said as (
      select * from unnest(${votes.map(({ threadId }) => threadId)}::bigint[],
        ${votes.map(({ commentId }) => commentId)}::bigint[],
        ${votes.map(({ authorId }) => authorId)}::bigint[],
        ${votes.map(({ value }) => value)}::smallint[],
        ${votes.map(({ addressHash }) => addressHash)}::bytea[])
        as said (thread_id, comment_id, author_id, value, address_hash)
    ),
    withdrawn as (
      delete from votes v using said
      where v.site_id = ${siteId} and v.thread_id = said.thread_id and v.comment_id = said.comment_id
        and v.author_id = said.author_id and said.value = 0
    )
    insert into votes (site_id, thread_id, comment_id, author_id, value, address_hash, voted_at)
    select ${siteId}, thread_id, comment_id, author_id, value, address_hash, clock_timestamp()
    from said where value <> 0
    on conflict (site_id, thread_id, comment_id, author_id) do update set value = excluded.value`.execute(
    tx,
  )
}

/** Adds votes to the tallies of their comments, which the caller has locked. */
export const countVotes = async (
  tx: Tx,
  siteId: number,
  changes: readonly {
    readonly threadId: number
    readonly id: number
    readonly up: number
    readonly down: number
  }[],
): Promise<void> => {
  await sql`
    update comment_tallies k set upvotes = k.upvotes + n.up, downvotes = k.downvotes + n.down
    from unnest(${changes.map(({ threadId }) => threadId)}::bigint[],
      ${changes.map(({ id }) => id)}::bigint[], ${changes.map(({ up }) => up)}::int[],
      ${changes.map(({ down }) => down)}::int[]) as n (thread_id, id, up, down)
    where k.site_id = ${siteId} and k.thread_id = n.thread_id and k.comment_id = n.id`.execute(tx)
}
