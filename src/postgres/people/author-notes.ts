import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { Db, Tx } from '../connection/db.ts'

/** A moderator's note about an author. */
export type AuthorNote = {
  readonly id: number
  readonly authorId: number
  readonly note: string
  /** Public id of the key or member. */
  readonly by: string
  readonly at: Instant
}

type OfAuthor = { readonly siteId: number; readonly authorId: number }

const columns = sql`id, author_id, note, noted_by as "by", noted_at as "at"`

/** The caller has locked the author's row, so that no erasure runs at the same time. */
export const insertAuthorNote = async (
  tx: Tx,
  { siteId, authorId, note, by }: OfAuthor & Pick<AuthorNote, 'note' | 'by'>,
): Promise<AuthorNote> => {
  const { rows } = await sql<AuthorNote>`
    insert into author_notes (site_id, author_id, note, noted_by, noted_at)
    values (${siteId}, ${authorId}, ${note}, ${by}, clock_timestamp())
    returning ${columns}`.execute(tx)
  return rows[0]!
}

/** Latest first; `limit + 1` rows. */
export const listAuthorNotes = async (
  db: Db,
  { siteId, authorId, beforeId, limit }: OfAuthor & { beforeId: number | null; limit: number },
): Promise<AuthorNote[]> => {
  const { rows } = await sql<AuthorNote>`
    select ${columns} from author_notes
    where site_id = ${siteId} and author_id = ${authorId}
      ${beforeId === null ? sql`` : sql`and id < ${beforeId}`}
    order by id desc limit ${limit + 1}`.execute(db)
  return rows
}
