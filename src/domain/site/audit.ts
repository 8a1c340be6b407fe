import type { Instant } from '../instant.ts'

export const AUDIT_ACTIONS = [
  'site_created',
  'site_updated',
  'site_renamed',
  'site_deleted',
  'key_created',
  'key_rotated',
  'key_updated',
  'key_revoked',
  'member_updated',
  'author_exported',
  'author_erased',
  'comment_redacted',
  'ban_created',
  'ban_lifted',
  'ban_updated',
  'reason_created',
  'reason_updated',
  'reason_deleted',
  'policy_updated',
  'site_attacked',
  'site_exported',
  'import_started',
  'comments_reassigned',
  'alias_created',
  'alias_deleted',
  'articles_remapped',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** A change by an administrator, by an author to their own data, or by a rule. It contains no secrets and no personal data. */
export type AuditEntry = {
  readonly id: number
  /** Null for the whole service. */
  readonly siteId: number | null
  readonly action: AuditAction
  /** The slug of a site, or the stored id of a key, an author, a comment, a ban or a canned reason. */
  readonly subject: string
  /** Stored id of the key or person, or the name of a rule. */
  readonly by: string
  readonly at: Instant
  /** The changed fields, before and after. */
  readonly before: object | null
  readonly after: object | null
}
