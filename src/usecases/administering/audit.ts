import { runQuery } from '../../postgres/connection/transaction.ts'
import { listAudit as findAudit, type ListedAuditEntry } from '../../postgres/service/audit.ts'
import type { Context } from '../context.ts'

export type { ListedAuditEntry } from '../../postgres/service/audit.ts'

/** Administrators' changes, latest first: of one site, or of the service and all its sites. */
export const listAudit = async (
  context: Context,
  request: { siteId: number | undefined; beforeId: number | null; limit: number },
): Promise<{ items: ListedAuditEntry[]; nextId: number | null }> => {
  const rows = await runQuery(findAudit(context.db, request))
  const items = rows.slice(0, request.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
