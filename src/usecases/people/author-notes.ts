import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import {
  type AuthorNote,
  listAuthorNotes as findNotes,
  insertAuthorNote,
} from '../../postgres/people/author-notes.ts'
import { findAuthor, lockWriterRows } from '../../postgres/people/authors.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'

export type { AuthorNote } from '../../postgres/people/author-notes.ts'

type NewNote = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly authorId: number
  readonly note: string
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** Adds a moderator's note about an author. A note cannot be changed or deleted. */
export const addAuthorNote = <Response>(
  context: Context,
  { site, moderator, authorId, note, idempotencyKey }: NewNote,
  present: (note: AuthorNote) => Response,
): Promise<Response> =>
  runOnce(context, idempotencyKey, async (tx) => {
    const authors = await lockWriterRows(tx, site.id, [authorId])
    if (!authors.has(authorId)) throw new Refusal('not_found')
    const entry = { siteId: site.id, by: callerIdOf(moderator), authorId }
    const inserted = await insertAuthorNote(tx, { ...entry, note })
    // The decision does not repeat the text, which can be erased.
    await insertDecision(tx, { ...entry, action: 'note', subject: storedId('author', authorId) })
    return present(inserted)
  })

/** Lists the notes about an author, latest first. */
export const listAuthorNotes = async (
  context: Context,
  request: { siteId: number; authorId: number; beforeId: number | null; limit: number },
): Promise<{ items: AuthorNote[]; nextId: number | null }> => {
  const { siteId, authorId, limit } = request
  if (!(await runQuery(findAuthor(context.db, siteId, authorId)))) throw new Refusal('not_found')
  const rows = await runQuery(findNotes(context.db, request))
  const items = rows.slice(0, limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
