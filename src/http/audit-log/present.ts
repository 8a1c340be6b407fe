import type { PublicIds } from '../../domain/public-id.ts'
import type { ListedAuditEntry } from '../../usecases/administering/audit.ts'
import { presentChanged, presentDoer, presentSubject } from '../wire/stored-ids.ts'

export const presentAuditEntry = (ids: PublicIds, entry: ListedAuditEntry) => ({
  id: ids.write('auditEntry', entry.id),
  site: entry.site,
  action: entry.action,
  subject: presentSubject(ids, entry),
  by: presentDoer(ids, entry.by),
  at: entry.at,
  before: presentChanged(ids, entry.before),
  after: presentChanged(ids, entry.after),
})
