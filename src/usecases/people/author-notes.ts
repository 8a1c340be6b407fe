import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { authorId as publicId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
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
  readonly claim: IdempotencyKey | undefined
}

/** Tells the other moderators something about an author. Notes are neither changed nor deleted. */
export const addAuthorNote = <Answer>(
  context: Context,
  { site, moderator, authorId, note, claim }: NewNote,
  present: (note: AuthorNote) => Answer,
): Promise<Answer> =>
  runOnce(context, claim, async (tx) => {
    const held = await lockWriterRows(tx, site.id, [authorId])
    if (!held.has(authorId)) throw new Refusal('not_found')
    const act = { siteId: site.id, by: callerIdOf(moderator), authorId }
    const noted = await insertAuthorNote(tx, { ...act, note })
    // What it says can be erased.
    await insertDecision(tx, { ...act, action: 'note', subject: publicId(authorId) })
    return present(noted)
  })

/** Latest first. */
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
