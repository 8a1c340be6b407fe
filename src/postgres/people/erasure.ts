import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { authorId as publicId } from '../../domain/public-id.ts'
import { isInvisible, isVisible } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'

type OfAuthor = { readonly siteId: number; readonly authorId: number }

/** What is known of an author when it is to be erased. */
export type Erasable = {
  readonly subject: string | null
  readonly erasedAt: Instant | null
  /** Whether readers can see something of it. */
  readonly isPublic: boolean
}

export const findErasable = async (
  db: Db,
  { siteId, authorId }: OfAuthor,
): Promise<Erasable | undefined> => {
  const { rows } = await sql<Erasable>`
    select subject, erased_at, exists (
      select from comments c join threads t on t.site_id = c.site_id and t.id = c.thread_id
      where c.site_id = ${siteId} and c.author_id = ${authorId} and ${isVisible('c.status')}
        and t.state <> 'hidden') as is_public
    from authors where site_id = ${siteId} and id = ${authorId}`.execute(db)
  return rows[0]
}

/**
 * Leaves nothing of an author but its id, and forgets every answer that holds something of it. Who
 * writes in its name holds its row, and comes before, or finds it erased. It is erased no earlier than
 * its newest token was made, by a clock that may be ahead.
 * @param subjectHash stands for what its site called it
 */
export const eraseAuthorRow = async (
  tx: Tx,
  { siteId, authorId }: OfAuthor,
  subjectHash: Buffer | null,
): Promise<void> => {
  await sql`
    update authors set erased_at = greatest(clock_timestamp(), signed_on_at),
      erased_subject = ${subjectHash}, name = 'Erased', role = 'reader', url = null, avatar_url = null, email = null, email_verified = false,
      subject = null, signed_on_at = null, token_roles = '{}', granted_roles = '{}',
      location = null, listed = false
    where site_id = ${siteId} and id = ${authorId} and erased_at is null`.execute(tx)
  await sql`
    delete from author_notes where site_id = ${siteId} and author_id = ${authorId}`.execute(tx)
  await sql`delete from arrivals where site_id = ${siteId} and author_id = ${authorId}`.execute(tx)
  await sql`
    delete from idempotency_keys
    where site_id = ${siteId}
      and coalesce(answer #>> '{body,author,id}', answer #>> '{body,author_id}') = ${publicId(authorId)}`.execute(
    tx,
  )
}

/**
 * Some comments of an author that still say something, all of one thread, in descending order of id;
 * undefined when there are none.
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

/** Takes all text and every trace of an address out of comments of one thread, and of what they were. */
export const redactComments = async (
  tx: Tx,
  { siteId, threadId, ids }: { siteId: number; threadId: number; ids: readonly number[] },
): Promise<void> => {
  await sql`
    update comments set body = '', body_html = '', article_title = null, article_url = null,
      screening = null, facts = null, risk = 0
    where site_id = ${siteId} and thread_id = ${threadId} and id = any(${ids}::bigint[])`.execute(
    tx,
  )
  await sql`
    delete from comment_addresses d using comments c
    where d.site_id = ${siteId} and d.written_at = c.created_at and d.comment_id = c.id
      and c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = any(${ids}::bigint[])`.execute(
    tx,
  )
  await sql`
    update comment_revisions set body = '', body_html = ''
    where site_id = ${siteId} and comment_id = any(${ids}::bigint[])`.execute(tx)
}

/** Votes stay, as nobody's: the figures that they make are true. */
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

/** Appeals that were answered stay, without their text; nobody waits for an answer to the others. */
export const redactAppeals = async (tx: Tx, { siteId, authorId }: OfAuthor): Promise<void> => {
  await sql`
    delete from appeals
    where site_id = ${siteId} and author_id = ${authorId} and outcome is null`.execute(tx)
  await sql`
    update appeals set text = ''
    where site_id = ${siteId} and author_id = ${authorId} and text <> ''`.execute(tx)
}
