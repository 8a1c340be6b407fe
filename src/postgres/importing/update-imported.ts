import { sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import { BY_IMPORT } from '../../domain/people/caller.ts'
import { staysDeleted } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'
import type { Imported } from './find-imported.ts'
import type { TextColumns } from './insert-imported.ts'

/** An imported comment as it is now. */
export type ImportedState = {
  readonly threadId: number
  readonly status: Status
  readonly pinned: boolean
  readonly staysDeleted: boolean
  /** Whether somebody edited or emptied the text here since. */
  readonly isEditedHere: boolean
}

/** Undefined if the comment moved to another thread or is deleted. */
export const findImportedState = async (
  db: Db,
  siteId: number,
  { homeThreadId, commentId }: Imported,
): Promise<ImportedState | undefined> => {
  const { rows } = await sql<ImportedState>`
    select c.thread_id, c.status, c.pinned, ${staysDeleted} as stays_deleted,
      c.withdrawn_at is not null or c.redacted_at is not null or a.erased_at is not null or exists (
        select from comment_revisions r
        where r.site_id = c.site_id and r.comment_id = c.id and r.replaced_by <> ${BY_IMPORT}
      ) as is_edited_here
    from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
    where c.site_id = ${siteId} and c.thread_id = ${homeThreadId} and c.id = ${commentId}`.execute(
    db,
  )
  return rows[0]
}

type At = { readonly siteId: number; readonly threadId: number; readonly id: number }

/** Replaces the text by that of a batch, and keeps the earlier one as a revision. */
export const reviseImported = async (
  tx: Tx,
  { siteId, threadId, id }: At,
  { bodies, htmls, place, renderer }: TextColumns & { place: number; renderer: number },
): Promise<void> => {
  await sql`
    with kept as (
      insert into comment_revisions (site_id, comment_id, revision, body, body_html, replaced_at, replaced_by)
      select site_id, id, revision, body, body_html, clock_timestamp(), ${BY_IMPORT} from comments
      where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}
    )
    update comments set body = (${bodies}::text[])[${place}::int], body_html = (${htmls}::text[])[${place}::int],
      renderer = ${renderer}, revision = revision + 1, changed_xid = pg_current_xact_id(),
      edited_at = clock_timestamp()
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}`.execute(tx)
}

/** Adds what the other system counted since the last import. */
export const voteImported = async (
  tx: Tx,
  { siteId, threadId, id }: At,
  { up, down }: { up: number; down: number },
): Promise<void> => {
  await sql`
    update comment_tallies set upvotes = upvotes + ${up}::int, downvotes = downvotes + ${down}::int
    where site_id = ${siteId} and thread_id = ${threadId} and comment_id = ${id}`.execute(tx)
}

export const pinImported = async (
  tx: Tx,
  { siteId, threadId, id }: At,
  pinned: boolean,
): Promise<void> => {
  await sql`
    update comments set pinned = ${pinned}
    where site_id = ${siteId} and thread_id = ${threadId} and id = ${id}`.execute(tx)
}

/** Remembers what the other system says of a comment now. */
export const rememberImported = async (
  tx: Tx,
  { siteId, originId, sourceId }: { siteId: number; originId: number; sourceId: string },
  said: Pick<Imported, 'textHash' | 'status' | 'upvotes' | 'downvotes'> & { isPinned: boolean },
): Promise<void> => {
  await sql`
    update imported_comments set text_hash = ${said.textHash}, status = ${said.status}, upvotes = ${said.upvotes},
      downvotes = ${said.downvotes}, pinned = ${said.isPinned}
    where site_id = ${siteId} and origin_id = ${originId} and source_id = ${sourceId}`.execute(tx)
}
