import { sql } from 'kysely'
import { prepare, type Query } from '../connection/prepared.ts'
import { forEachWaiting, orSkip, type Waiting } from '../connection/transaction.ts'
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

export type VoteRow = {
  readonly threadId: number
  readonly commentId: number
  readonly authorId: number
  readonly value: -1 | 0 | 1
  /** The hash of a guest's address; null for a member. */
  readonly addressHash: Buffer | null
}

/**
 * The statement that finds comments that readers, or only their authors, can read. It locks their tallies until the
 * transaction ends, in descending order of id, as every write does. Its rows count for threads that the caller has
 * locked before.
 * @param waiting `skip` leaves out the comments whose tallies another transaction has locked
 */
export const lockVotableRows = (
  siteId: number,
  comments: readonly Pick<VoteRow, 'threadId' | 'commentId'>[],
  waiting: Waiting,
): Query<Votable> =>
  LOCK_VOTABLE_ROWS[waiting]({
    siteId,
    threadIds: comments.map(({ threadId }) => threadId),
    commentIds: comments.map(({ commentId }) => commentId),
  })

type Keys = {
  readonly siteId: number
  readonly threadIds: readonly number[]
  readonly commentIds: readonly number[]
}

const LOCK_VOTABLE_ROWS = forEachWaiting((waiting) =>
  prepare<Keys, Votable>(
    (of) => sql`
      select c.id, c.author_id, k.upvotes, k.downvotes, c.locked or t.state = 'locked' as locked,
        c.shadowed as is_shadowed
      from comment_tallies k
      join threads t on t.site_id = k.site_id and t.id = k.thread_id
      ${joinCommentOfTally}
      where k.site_id = ${of.siteId} and (k.thread_id, k.comment_id) in (
          select * from unnest(${of.threadIds}::bigint[], ${of.commentIds}::bigint[]))
        and t.state <> 'hidden' and t.deleted_at is null and ${isVisibleOrShadowed('c')}
      order by k.comment_id desc for no key update of k ${orSkip(waiting)}`,
  ),
)

/**
 * The statement that lists the votes of these voters on these comments, and the votes of guests from the same
 * networks.
 */
export const listVotesAndNetworkVotes = (
  siteId: number,
  votes: readonly VoteRow[],
): Query<VoteRow> => LIST_VOTES(columnsOf(siteId, votes))

const columnsOf = (siteId: number, votes: readonly VoteRow[]) => ({
  siteId,
  threadIds: votes.map(({ threadId }) => threadId),
  commentIds: votes.map(({ commentId }) => commentId),
  authorIds: votes.map(({ authorId }) => authorId),
  values: votes.map(({ value }) => value),
  addressHashes: votes.map(({ addressHash }) => addressHash),
})

type Columns = ReturnType<typeof columnsOf>

const LIST_VOTES = prepare<Columns, VoteRow>(
  (of) => sql`
    select distinct v.thread_id, v.comment_id, v.author_id, v.value, v.address_hash
    from unnest(${of.threadIds}::bigint[], ${of.commentIds}::bigint[], ${of.authorIds}::bigint[],
      ${of.addressHashes}::bytea[])
      as asked (thread_id, comment_id, author_id, address_hash)
    cross join lateral (
      select * from votes
      where site_id = ${of.siteId} and thread_id = asked.thread_id and comment_id = asked.comment_id
        and author_id = asked.author_id
      union all
      select * from votes
      where site_id = ${of.siteId} and thread_id = asked.thread_id and comment_id = asked.comment_id
        and address_hash = asked.address_hash
    ) v`,
)

/**
 * The statement that replaces votes; 0 removes a vote. Each voter occurs once per comment. A changed vote keeps its
 * first time and network, for which it counts.
 */
export const writeVotes = (siteId: number, votes: readonly VoteRow[]): Query =>
  WRITE_VOTES(columnsOf(siteId, votes))

const WRITE_VOTES = prepare<Columns, unknown>(
  (of) => sql`
    with said as (
      select * from unnest(${of.threadIds}::bigint[], ${of.commentIds}::bigint[], ${of.authorIds}::bigint[],
        ${of.values}::smallint[], ${of.addressHashes}::bytea[])
        as said (thread_id, comment_id, author_id, value, address_hash)
    ),
    withdrawn as (
      delete from votes v using said
      where v.site_id = ${of.siteId} and v.thread_id = said.thread_id and v.comment_id = said.comment_id
        and v.author_id = said.author_id and said.value = 0
    )
    insert into votes (site_id, thread_id, comment_id, author_id, value, address_hash, voted_at)
    select ${of.siteId}, thread_id, comment_id, author_id, value, address_hash, clock_timestamp()
    from said where value <> 0
    on conflict (site_id, thread_id, comment_id, author_id) do update set value = excluded.value`,
)

export type TallyChange = {
  readonly threadId: number
  readonly commentId: number
  readonly up: number
  readonly down: number
}

/** The statement that adds votes to the tallies of their comments, which the caller has locked. */
export const countVotes = (siteId: number, changes: readonly TallyChange[]): Query =>
  COUNT_VOTES({
    siteId,
    threadIds: changes.map(({ threadId }) => threadId),
    commentIds: changes.map(({ commentId }) => commentId),
    ups: changes.map(({ up }) => up),
    downs: changes.map(({ down }) => down),
  })

const COUNT_VOTES = prepare<
  Keys & { readonly ups: readonly number[]; readonly downs: readonly number[] },
  unknown
>(
  (of) => sql`
    update comment_tallies k set upvotes = k.upvotes + n.up, downvotes = k.downvotes + n.down
    from unnest(${of.threadIds}::bigint[], ${of.commentIds}::bigint[], ${of.ups}::int[], ${of.downs}::int[])
      as n (thread_id, comment_id, up, down)
    where k.site_id = ${of.siteId} and k.thread_id = n.thread_id and k.comment_id = n.comment_id`,
)
