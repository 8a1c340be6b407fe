import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { isInvisible, isVisible } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'

type OfAuthor = { readonly siteId: number; readonly authorId: number }

/** An author before an erasure. */
export type Erasable = {
  readonly subject: string | null
  readonly email: string | null
  readonly erasedAt: Instant | null
  /** Whether the author has a visible comment. */
  readonly isPublic: boolean
}

export const findErasable = async (
  db: Db,
  { siteId, authorId }: OfAuthor,
): Promise<Erasable | undefined> => {
  const { rows } = await sql<Erasable>`
    select subject, email, erased_at, exists (
      select from comments c join threads t on t.site_id = c.site_id and t.id = c.thread_id
      where c.site_id = ${siteId} and c.author_id = ${authorId} and ${isVisible('c.status')}
        and t.state <> 'hidden') as is_public
    from authors where site_id = ${siteId} and id = ${authorId}`.execute(db)
  return rows[0]
}

/** The traces of an author that an erasure looks for. The hashes are keyed. */
export type ErasedIdentity = {
  readonly subjectHash: Buffer | null
  /** Of the e-mail address: bans can have any of them. */
  readonly emailHashes: readonly Buffer[]
  readonly publicId: string
}

/**
 * Erases everything of an author but the id. Stored responses that contain the author lose their content, and
 * their keys stay, so that a late retry does not publish the author again. A concurrent write of the author locks
 * the same row: it comes first, or finds the author erased. The time of erasure is never earlier than the newest
 * token, whose clock may be ahead.
 * `subjectHash` replaces the member's id in the site's own database. `publicId` finds the stored responses.
 * `emailHashes` find the bans on the author's e-mail address, which lose its domain.
 */
export const eraseAuthorRow = async (
  tx: Tx,
  { siteId, authorId }: OfAuthor,
  { subjectHash, emailHashes, publicId }: ErasedIdentity,
): Promise<void> => {
  await sql`
    update authors set erased_at = greatest(clock_timestamp(), signed_on_at),
      erased_subject = ${subjectHash}, name = 'Erased', name_skeleton = null, role = 'reader',
      url = null, avatar_url = null, email = null, email_verified = false,
      subject = null, signed_on_at = null, token_roles = '{}', granted_roles = '{}',
      location = null, listed = false
    where site_id = ${siteId} and id = ${authorId} and erased_at is null`.execute(tx)
  await sql`
    delete from author_notes where site_id = ${siteId} and author_id = ${authorId}`.execute(tx)
  await sql`delete from arrivals where site_id = ${siteId} and author_id = ${authorId}`.execute(tx)
  await sql`
    delete from transfer_codes where site_id = ${siteId} and author_id = ${authorId}`.execute(tx)
  await sql`
    update bans set domain = null
    where email_hash = any(${emailHashes}::bytea[]) and (site_id = ${siteId} or site_id is null)`.execute(
    tx,
  )
  await sql`
    update idempotency_keys set answer = 'null', created_at = clock_timestamp()
    where site_id = ${siteId}
      and coalesce(answer #>> '{body,author,id}', answer #>> '{body,author_id}') = ${publicId}`.execute(
    tx,
  )
}

/**
 * Comments of an author that still have a text, all of one thread, in descending order of id; undefined if
 * there are none.
 */
export const findWritings = async (
  db: Db,
  { siteId, authorId, limit }: OfAuthor & { limit: number },
): Promise<{ threadId: number; ids: number[] } | undefined> => {
  const { rows } = await sql<{ threadId: number; id: number }>`
    with writings as (
      (select thread_id, id from comments
      where site_id = ${siteId} and author_id = ${authorId} and ${isVisible('status')} limit ${limit})
      union all
      (select thread_id, id from comments
      where site_id = ${siteId} and author_id = ${authorId} and ${isInvisible('status')} and body <> ''
      limit ${limit})
    )
    select thread_id, id from writings
    where thread_id = (select max(thread_id) from writings) order by id desc limit ${limit}`.execute(
    db,
  )
  const [first] = rows
  return first && { threadId: first.threadId, ids: rows.map(({ id }) => id) }
}

/** Votes stay, without an address, so that scores stay true. */
export const redactVotesAndFlags = async (
  tx: Tx,
  { siteId, authorId }: OfAuthor,
): Promise<void> => {
  await sql`
    update votes set address_hash = null
    where site_id = ${siteId} and author_id = ${authorId} and address_hash is not null`.execute(tx)
  await sql`
    update flags set address_hash = null, note = null
    where site_id = ${siteId} and author_id = ${authorId}`.execute(tx)
}

/** Answered appeals stay without their text; waiting ones are deleted. */
export const redactAppeals = async (tx: Tx, { siteId, authorId }: OfAuthor): Promise<void> => {
  await sql`
    delete from appeals
    where site_id = ${siteId} and author_id = ${authorId} and outcome is null`.execute(tx)
  await sql`
    update appeals set text = ''
    where site_id = ${siteId} and author_id = ${authorId} and text <> ''`.execute(tx)
}
