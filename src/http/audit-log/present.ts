import { auditId } from '../../domain/public-id.ts'
import type { ListedAuditEntry } from '../../usecases/administering/audit.ts'

export const presentAuditEntry = (entry: ListedAuditEntry) => ({
  id: auditId(entry.id),
  site: entry.site,
  action: entry.action,
  subject: entry.subject,
  by: entry.by,
  at: entry.at,
  before: entry.before,
  after: entry.after,
})
