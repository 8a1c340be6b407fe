import type { DecisionAction } from '../../domain/moderation/decision.ts'
import { AUTOMATIC } from '../../domain/people/caller.ts'
import type { IdKind, PublicIds } from '../../domain/public-id.ts'
import type { AuditAction } from '../../domain/site/audit.ts'
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

type Action = DecisionAction | AuditAction

/** The kind of id that a record's subject is. Null if the subject is a slug or an article. */
const SUBJECTS: Record<Action, IdKind | 'comment' | null> = {
  status: null,
  edit: null,
  pin: null,
  lock: null,
  move: null,
  thread: null,
  ban: 'ban',
  unban: 'ban',
  ban_update: 'ban',
  note: 'author',
  appeal: null,
  redact: null,
  site_created: null,
  site_updated: null,
  site_renamed: null,
  site_deleted: null,
  site_attacked: null,
  site_exported: null,
  import_started: 'import',
  comments_reassigned: 'author',
  alias_created: null,
  alias_deleted: null,
  policy_updated: null,
  key_created: 'key',
  key_updated: 'key',
  key_rotated: 'key',
  key_revoked: 'key',
  member_updated: 'author',
  author_exported: 'author',
  author_erased: 'author',
  comment_redacted: 'comment',
  reason_created: 'reason',
  reason_updated: 'reason',
  reason_deleted: 'reason',
  ban_created: 'ban',
  ban_updated: 'ban',
  ban_lifted: 'ban',
}

/** The subject of a decision or an audit entry, with its public id. */
export const presentSubject = <T extends string | null>(
  ids: PublicIds,
  { action, subject }: { readonly action: Action; readonly subject: T },
): string | T => {
  const kind = SUBJECTS[action]
  return kind && subject !== null ? (presentField(ids, kind, subject) ?? subject) : subject
}

/** Fields of a record that contain an id. */
const CHANGED: Readonly<Record<string, IdKind | 'comment'>> = {
  author_id: 'author',
  batch_id: 'batch',
  parent_id: 'comment',
  id: 'key',
}

/** The changed fields of a record, with public ids. */
export const presentChanged = (
  ids: PublicIds,
  fields: object | null,
): Record<string, unknown> | null =>
  fields &&
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const kind = CHANGED[name]
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
