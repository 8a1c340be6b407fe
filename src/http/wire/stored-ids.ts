import { AUTOMATIC } from '../../domain/people/caller.ts'
import type { IdKind, PublicIds } from '../../domain/public-id.ts'
import { CHANGED_KINDS, type RecordAction, SUBJECT_KINDS } from '../../domain/record-ids.ts'
import { readStoredCommentId, readStoredId, storedId } from '../../domain/stored-id.ts'

/** Records store ids with their numbers; here they become public ids, and public ids become stored ones. */

/** The public id of a key or an author; a name such as `rules` or `operator` as it is. */
export const presentDoer = (ids: PublicIds, by: string): string =>
  presentIf(ids, 'author', by) ?? presentIf(ids, 'key', by) ?? by

/** The stored form of a key, an author or an automatic decider. Any other text names no one. */
export const readDoer = (ids: PublicIds, text: string): string => {
  const authorId = ids.read('author', text)
  if (authorId !== undefined) return storedId('author', authorId)
  const keyId = ids.read('key', text)
  if (keyId !== undefined) return storedId('key', keyId)
  return AUTOMATIC.includes(text) ? text : ''
}

/** Stands for the subject of a record that a newer version wrote: it can be the number of a row. */
const UNKNOWN = 'unknown'

/** The subject of a decision or an audit entry, with its public id. */
export const presentSubject = <T extends string | null>(
  ids: PublicIds,
  { action, subject }: { readonly action: RecordAction; readonly subject: T },
): string | T => {
  if (!(action in SUBJECT_KINDS)) return subject === null ? subject : UNKNOWN
  const kind = SUBJECT_KINDS[action]
  return kind && subject !== null ? (presentField(ids, kind, subject) ?? subject) : subject
}

/** The changed fields of a record, with public ids. */
export const presentChanged = (
  ids: PublicIds,
  fields: object | null,
): Record<string, unknown> | null =>
  fields &&
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const kind = CHANGED_KINDS[name]
      return [name, kind && typeof value === 'string' ? presentField(ids, kind, value) : value]
    }),
  )

const presentField = (ids: PublicIds, kind: IdKind | 'comment', stored: string): string | null => {
  if (kind !== 'comment') return presentIf(ids, kind, stored) ?? null
  const key = readStoredCommentId(stored)
  return key ? ids.writeComment(key) : null
}

/** Undefined if the text is not the stored id of that kind. */
const presentIf = (ids: PublicIds, kind: IdKind, stored: string): string | undefined => {
  const id = readStoredId(kind, stored)
  return id === undefined ? undefined : ids.write(kind, id)
}
