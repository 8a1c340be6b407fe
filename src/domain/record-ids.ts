import type { DecisionAction } from './moderation/decision.ts'
import type { IdKind } from './public-id.ts'
import type { AuditAction } from './site/audit.ts'

export type RecordAction = DecisionAction | AuditAction

/** The kind of id that a record's subject is. Null if the subject is a slug or an article. */
export const SUBJECT_KINDS: Record<RecordAction, IdKind | 'comment' | null> = {
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
  articles_remapped: null,
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

/** Fields of a record that contain an id. */
export const CHANGED_KINDS: Readonly<Record<string, IdKind | 'comment'>> = {
  author_id: 'author',
  batch_id: 'batch',
  parent_id: 'comment',
  id: 'key',
}
