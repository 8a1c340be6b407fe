import { sql } from 'kysely'
import type { Tx } from '../connection/db.ts'

type Comments = {
  readonly siteId: number
  readonly threadId: number
  readonly ids: readonly number[]
}

/**
 * Empties comments of one thread and their revisions: texts, traces, addresses, and the hashes that find equal
 * texts. The only list of the places that have the text of a comment.
 */
export const redactComments = async (
  tx: Tx,
  { siteId, threadId, ids }: Comments,
): Promise<void> => {
  await sql`
    update comments set body = '', body_html = '', article_title = null, article_url = null,
      screening = null, facts = null, packed_facts = null, packed_trace = null, risk = 0
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
  await sql`
    delete from arrivals where site_id = ${siteId} and comment_id = any(${ids}::bigint[])`.execute(
    tx,
  )
}

type OneComment = { readonly siteId: number; readonly threadId: number; readonly id: number }

/** Marks a redacted comment: from then on it stays deleted, and has no new text. */
export const markRedacted = async (tx: Tx, { siteId, threadId, id }: OneComment): Promise<void> => {
  await sql`
    update comments set redacted_at = clock_timestamp()
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}`.execute(tx)
}

/**
 * Empties one earlier text of a comment. The trace and the hashes go too: they can be of that text, because
 * edits by moderators are not judged.
 */
export const redactRevision = async (
  tx: Tx,
  { siteId, threadId, id, revision }: OneComment & { revision: number },
): Promise<void> => {
  await sql`
    update comment_revisions set body = '', body_html = ''
    where site_id = ${siteId} and comment_id = ${id} and revision = ${revision}`.execute(tx)
  await sql`
    update comments set screening = null, facts = null, packed_facts = null, packed_trace = null, risk = 0
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}`.execute(tx)
  await sql`delete from arrivals where site_id = ${siteId} and comment_id = ${id}`.execute(tx)
}

/** The texts of a comment that are not empty, by revision. */
export const listTexts = async (
  tx: Tx,
  { siteId, threadId, id }: OneComment,
): Promise<ReadonlyMap<number, string>> => {
  const { rows } = await sql<{ revision: number; body: string }>`
    select revision, body from comments
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id} and body <> ''
    union all
    select revision, body from comment_revisions
    where site_id = ${siteId} and comment_id = ${id} and body <> ''`.execute(tx)
  return new Map(rows.map(({ revision, body }) => [revision, body]))
}

/** A shorter text can be part of a note by chance. */
const SHORTEST_QUOTE = 12

/** The texts whose quotes a redaction looks for. */
export const quotable = (texts: Iterable<string>): string[] =>
  [...texts].map((text) => text.trim()).filter((text) => text.length >= SHORTEST_QUOTE)

/**
 * Empties everything that others wrote about a comment and that can quote it: notes of flags, of decisions and of
 * their batches, and the appeal with its answer. Decisions on other comments have the same note if a decision on this
 * one caused them, or in a batch. Empties notes on the author that contain one of the texts.
 */
export const redactNotes = async (
  tx: Tx,
  {
    siteId,
    threadId,
    id,
    authorId,
    quotes,
  }: OneComment & { authorId: number; quotes: readonly string[] },
): Promise<void> => {
  await sql`
    update flags set note = null
    where site_id = ${siteId} and thread_id = ${threadId} and comment_id = ${id}`.execute(tx)
  await sql`
    update appeals set text = '', note = null
    where site_id = ${siteId} and comment_id = ${id}`.execute(tx)
  await sql`
    update batches set request = (request || '{"note": null}') #- '{filter,q}'
    where site_id = ${siteId} and kind = 'decide' and id in (
      select batch_id from decisions where site_id = ${siteId} and comment_id = ${id})`.execute(tx)
  await sql`
    update author_notes set note = ''
    where site_id = ${siteId} and author_id = ${authorId}
      and exists (select from unnest(${quotes}::text[]) as q (quote) where strpos(note, quote) > 0)`.execute(
    tx,
  )
  await sql`select set_config('afterword.redacted_comment', ${String(id)}, true)`.execute(tx)
  await sql`
    with own as materialized (
      select id, batch_id from decisions where site_id = ${siteId} and comment_id = ${id}
    )
    update decisions set note = null
    where site_id = ${siteId} and note is not null and id in (
      select id from own union all
      select d.id from own join decisions d on d.site_id = ${siteId} and d.caused_by = own.id union all
      select d.id from batches b join decisions d on d.site_id = b.site_id and d.batch_id = b.id
      where b.site_id = ${siteId} and b.kind = 'decide' and b.id in (select batch_id from own))`.execute(
    tx,
  )
}

/** Deletes an appeal that no moderator has answered: nothing can restore the comment. */
export const deleteWaitingAppeal = async (
  tx: Tx,
  { siteId, id }: Pick<OneComment, 'siteId' | 'id'>,
): Promise<void> => {
  await sql`
    delete from appeals
    where site_id = ${siteId} and comment_id = ${id} and outcome is null`.execute(tx)
}

/** The appeals against decisions on the comment. */
export const listAppealIds = async (
  tx: Tx,
  { siteId, id }: Pick<OneComment, 'siteId' | 'id'>,
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select id from appeals where site_id = ${siteId} and comment_id = ${id}`.execute(tx)
  return rows.map(({ id }) => id)
}
