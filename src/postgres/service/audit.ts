import { sql } from 'kysely'
import type { AuditEntry } from '../../domain/site/audit.ts'
import type { Db, Tx } from '../connection/db.ts'

export type NewAuditEntry = Omit<AuditEntry, 'id' | 'at' | 'before' | 'after'> &
  Partial<Pick<AuditEntry, 'before' | 'after'>>

export const insertAuditEntry = async (tx: Tx, entry: NewAuditEntry): Promise<void> => {
  const { siteId, action, subject, by, before = null, after = null } = entry
  await sql`
    insert into audit (site_id, action, subject, done_by, done_at, before, after)
    values (${siteId}, ${action}, ${subject}, ${by}, clock_timestamp(),
      ${before && JSON.stringify(before)}::jsonb, ${after && JSON.stringify(after)}::jsonb)`.execute(
    tx,
  )
}

/** `site`: the slug; null for the whole service. */
export type ListedAuditEntry = AuditEntry & { readonly site: string | null }

/** Latest first; `limit + 1` rows, of one site or of the service and all its sites. */
export const listAudit = async (
  db: Db,
  request: { siteId: number | undefined; beforeId: number | null; limit: number },
): Promise<ListedAuditEntry[]> => {
  const { siteId, beforeId, limit } = request
  const { rows } = await sql<ListedAuditEntry>`
    select a.id, a.site_id, s.slug as site, a.action, a.subject, a.done_by as "by", a.done_at as "at",
      a.before, a.after
    from audit a left join sites s on s.id = a.site_id
    where true ${siteId === undefined ? sql`` : sql`and a.site_id = ${siteId}`}
      ${beforeId === null ? sql`` : sql`and a.id < ${beforeId}`}
    order by a.id desc limit ${limit + 1}`.execute(db)
  return rows
}
