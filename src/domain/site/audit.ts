import type { Instant } from '../instant.ts'

export const AUDIT_ACTIONS = [
  'site_created',
  'site_updated',
  'key_created',
  'key_rotated',
  'key_revoked',
  'member_updated',
  'author_exported',
  'author_erased',
  'ban_created',
  'ban_lifted',
  'reason_created',
  'reason_updated',
  'reason_deleted',
  'policy_updated',
  'site_attacked',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** An act of an administrator, of somebody on its own data, or of a rule. Holds neither secrets nor personal data. */
export type AuditEntry = {
  readonly id: number
  /** Null: of the whole service. */
  readonly siteId: number | null
  readonly action: AuditAction
  /** The slug of a site, or the public id of a key, an author or a canned reason. */
  readonly subject: string
  /** Public id of the key or person, or the name of a rule. */
  readonly by: string
  readonly at: Instant
  /** What has changed, as it was and as it is. */
  readonly before: object | null
  readonly after: object | null
}
