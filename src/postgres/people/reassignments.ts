import { sql } from 'kysely'
import type { CommentKey } from '../../domain/public-id.ts'
import { isInvisible, isVisible } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'

type OfAuthor = { readonly siteId: number; readonly authorId: number }

/** A member who can get comments of guests. */
export type Receiver = { readonly email: string | null; readonly emailVerified: boolean }

/** Undefined if there is no such member, or the member is erased. */
export const findReceiver = async (
  db: Db,
  { siteId, authorId }: OfAuthor,
): Promise<Receiver | undefined> => {
  const { rows } = await sql<Receiver>`
    select email, email_verified from authors
    where site_id = ${siteId} and id = ${authorId} and kind = 'member' and erased_at is null`.execute(
    db,
  )
  return rows[0]
}

const isGiver = sql`a.kind = 'guest' and a.key_id is null and a.erased_at is null and a.reassigned_to is null`

/** The guests that imports made with an e-mail address, in any case. At most `limit`. */
export const listImportedGuests = async (
  db: Db,
  { siteId, email, limit }: { siteId: number; email: string; limit: number },
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select a.id from authors a
    where a.site_id = ${siteId} and a.email is not null and lower(a.email) = lower(${email}) and ${isGiver}
      and exists (select from imported_authors i where i.site_id = ${siteId} and i.author_id = a.id)
    order by a.id limit ${limit}`.execute(db)
  return rows.map(({ id }) => id)
}

/** Whether an author is a guest whose comments can be reassigned. */
export const isReassignable = async (db: Db, { siteId, authorId }: OfAuthor): Promise<boolean> => {
  const { rows } = await sql<{ id: number }>`
    select a.id from authors a where a.site_id = ${siteId} and a.id = ${authorId} and ${isGiver}`.execute(
    db,
  )
  return rows.length > 0
}

export type Belongings = {
  readonly comments: number
  readonly votes: number
  readonly flags: number
  readonly appeals: number
}

export const countBelongings = async (
  db: Db,
  siteId: number,
  guestIds: readonly number[],
): Promise<Belongings> => {
  const of = sql`= any(${guestIds}::bigint[])`
  const { rows } = await sql<Belongings>`
    select
      (select count(*) from comments where site_id = ${siteId} and author_id ${of} and ${isVisible('status')})
      + (select count(*) from comments where site_id = ${siteId} and author_id ${of} and ${isInvisible('status')})
      as comments,
      (select count(*) from votes where site_id = ${siteId} and author_id ${of}) as votes,
      (select count(*) from flags where site_id = ${siteId} and author_id ${of}) as flags,
      (select count(*) from appeals where site_id = ${siteId} and author_id ${of}) as appeals`.execute(
    db,
  )
  return rows[0]!
}

/** The first comments of guests, by thread and id. */
export const listFirstComments = async (
  db: Db,
  { siteId, guestIds, limit }: { siteId: number; guestIds: readonly number[]; limit: number },
): Promise<CommentKey[]> => {
  const some = (isOfStatus: ReturnType<typeof sql>) => sql`
    select thread_id, id, home_thread_id from comments
    where site_id = ${siteId} and author_id = any(${guestIds}::bigint[]) and ${isOfStatus}`
  const { rows } = await sql<CommentKey>`
    (${some(isVisible('status'))} order by thread_id, id limit ${limit})
    union all (${some(isInvisible('status'))} order by thread_id, id limit ${limit})
    order by thread_id, id limit ${limit}`.execute(db)
  return rows
}

/**
 * Marks guests as reassigned to a member, with their ids in other systems and the notes about them. From then on
 * nothing more is written in their names: writers lock the same rows, as the caller did.
 * @returns the guests that were not reassigned or erased meanwhile
 */
export const markReassigned = async (
  tx: Tx,
  { siteId, authorId, guestIds }: OfAuthor & { readonly guestIds: readonly number[] },
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    update authors a set reassigned_to = ${authorId}
    where a.site_id = ${siteId} and a.id = any(${guestIds}::bigint[]) and ${isGiver}
    returning a.id`.execute(tx)
  const ids = rows.map(({ id }) => id)
  await sql`
    update imported_authors set author_id = ${authorId}
    where site_id = ${siteId} and author_id = any(${ids}::bigint[])`.execute(tx)
  await sql`
    update author_notes set author_id = ${authorId}
    where site_id = ${siteId} and author_id = any(${ids}::bigint[])`.execute(tx)
  await sql`
    delete from transfer_codes
    where site_id = ${siteId} and author_id = any(${ids}::bigint[])`.execute(tx)
  return ids
}

/** A guest whose profile is still there, because some of its belongings may be. */
export const findUnfinishedGuest = async (
  db: Db,
  { siteId, authorId }: OfAuthor,
): Promise<number | undefined> => {
  const { rows } = await sql<{ id: number }>`
    select id from authors
    where site_id = ${siteId} and reassigned_to = ${authorId} and erased_at is null
    order by id limit 1`.execute(db)
  return rows[0]?.id
}

/** The thread of something that a guest still has. */
export const findThreadOfGuest = async (
  db: Db,
  { siteId, authorId }: OfAuthor,
): Promise<number | undefined> => {
  const { rows } = await sql<{ threadId: number }>`
    (select thread_id from comments
      where site_id = ${siteId} and author_id = ${authorId} and ${isVisible('status')} limit 1)
    union all (select thread_id from comments
      where site_id = ${siteId} and author_id = ${authorId} and ${isInvisible('status')} limit 1)
    union all (select thread_id from votes where site_id = ${siteId} and author_id = ${authorId} limit 1)
    union all (select thread_id from flags where site_id = ${siteId} and author_id = ${authorId} limit 1)
    union all (select thread_id from appeals where site_id = ${siteId} and author_id = ${authorId} limit 1)
    limit 1`.execute(db)
  return rows[0]?.threadId
}

/** The rows of a guest that go to a member in one step. */
export type Step = {
  readonly siteId: number
  readonly threadId: number
  readonly guestId: number
  readonly memberId: number
  readonly limit: number
}

/** Gives comments of one thread to the member, with their addresses. @returns their ids */
export const moveComments = async (
  tx: Tx,
  { siteId, threadId, guestId, memberId, limit }: Step,
  { guest, member }: { readonly guest: string; readonly member: string },
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    update comments c set author_id = ${memberId}
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id in (
      select o.id from comments o
      where o.site_id = ${siteId} and o.thread_id = ${threadId} and o.author_id = ${guestId} limit ${limit})
    returning c.id`.execute(tx)
  const ids = rows.map(({ id }) => id)
  await sql`
    update comment_addresses set author_id = ${memberId}
    where site_id = ${siteId} and author_id = ${guestId} and comment_id = any(${ids}::bigint[])`.execute(
    tx,
  )
  await sql`
    update arrivals set author_id = ${memberId}
    where site_id = ${siteId} and comment_id = any(${ids}::bigint[])`.execute(tx)
  await sql`
    update comment_revisions set replaced_by = ${member}
    where site_id = ${siteId} and comment_id = any(${ids}::bigint[]) and replaced_by = ${guest}`.execute(
    tx,
  )
  return ids
}

/**
 * Gives the votes in one thread to the member. A vote on a comment of the member's own goes, and of two votes on one
 * comment the member's own stays. Scores follow.
 * @param comments comments that have just become the member's
 * @returns how many votes of the guest went or moved
 */
export const moveVotes = async (
  tx: Tx,
  { siteId, threadId, guestId, memberId, limit }: Step,
  comments: readonly number[],
): Promise<number> => {
  const { rows } = await sql<{ number: number }>`
    with given as materialized (
      select v.comment_id, exists (
          select from comments c where c.site_id = ${siteId} and c.thread_id = ${threadId}
            and c.id = v.comment_id and c.author_id = ${memberId})
        or exists (select from votes o where o.site_id = ${siteId} and o.thread_id = ${threadId}
          and o.comment_id = v.comment_id and o.author_id = ${memberId}) as is_extra
      from votes v
      where v.site_id = ${siteId} and v.thread_id = ${threadId} and v.author_id = ${guestId} limit ${limit}
    ),
    gone as (
      delete from votes v
      where v.site_id = ${siteId} and v.thread_id = ${threadId}
        and ((v.author_id = ${memberId} and v.comment_id = any(${comments}::bigint[]))
          or (v.author_id = ${guestId} and v.comment_id in (select comment_id from given where is_extra)))
      returning v.comment_id, v.value
    ),
    moved as (
      update votes v set author_id = ${memberId}, address_hash = null
      where v.site_id = ${siteId} and v.thread_id = ${threadId} and v.author_id = ${guestId}
        and v.comment_id in (select comment_id from given where not is_extra)
    ),
    counted as (
      update comment_tallies k set upvotes = k.upvotes - lost.up, downvotes = k.downvotes - lost.down
      from (
        select comment_id, count(*) filter (where value = 1) as up, count(*) filter (where value = -1) as down
        from gone group by comment_id
      ) lost
      where k.site_id = ${siteId} and k.thread_id = ${threadId} and k.comment_id = lost.comment_id
    )
    select count(*) as number from given`.execute(tx)
  return rows[0]!.number
}

/** Gives the flags in one thread to the member, as `moveVotes` does with votes. */
export const moveFlags = async (
  tx: Tx,
  { siteId, threadId, guestId, memberId, limit }: Step,
  comments: readonly number[],
): Promise<number> => {
  const { rows } = await sql<{ number: number }>`
    with given as materialized (
      select f.comment_id, exists (
          select from comments c where c.site_id = ${siteId} and c.thread_id = ${threadId}
            and c.id = f.comment_id and c.author_id = ${memberId})
        or exists (select from flags o where o.site_id = ${siteId} and o.thread_id = ${threadId}
          and o.comment_id = f.comment_id and o.author_id = ${memberId}) as is_extra
      from flags f
      where f.site_id = ${siteId} and f.thread_id = ${threadId} and f.author_id = ${guestId} limit ${limit}
    ),
    gone as (
      delete from flags f
      where f.site_id = ${siteId} and f.thread_id = ${threadId}
        and ((f.author_id = ${memberId} and f.comment_id = any(${comments}::bigint[]))
          or (f.author_id = ${guestId} and f.comment_id in (select comment_id from given where is_extra)))
      returning f.comment_id, f.resolved_at
    ),
    moved as (
      update flags f set author_id = ${memberId}, address_hash = null
      where f.site_id = ${siteId} and f.thread_id = ${threadId} and f.author_id = ${guestId}
        and f.comment_id in (select comment_id from given where not is_extra)
    ),
    counted as (
      update comments c set flag_count = c.flag_count - lost.number
      from (
        select comment_id, count(*) as number from gone where resolved_at is null group by comment_id
      ) lost
      where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = lost.comment_id
    )
    select count(*) as number from given`.execute(tx)
  return rows[0]!.number
}

export const moveAppeals = async (
  tx: Tx,
  { siteId, threadId, guestId, memberId }: Step,
): Promise<void> => {
  await sql`
    update appeals set author_id = ${memberId}
    where site_id = ${siteId} and thread_id = ${threadId} and author_id = ${guestId}`.execute(tx)
}

/** Removes the profile of a guest that has nothing any more. */
export const eraseEmptiedGuest = async (
  tx: Tx,
  { siteId, guestId }: { readonly siteId: number; readonly guestId: number },
): Promise<void> => {
  await sql`
    update authors set erased_at = clock_timestamp(), name = 'Erased', url = null, avatar_url = null,
      email = null, location = null
    where site_id = ${siteId} and id = ${guestId} and erased_at is null`.execute(tx)
}
