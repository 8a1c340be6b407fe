import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  type CannedReason,
  type CannedReasonFields,
  countCannedReasons,
  deleteCannedReason as dropReason,
  listCannedReasons as findReasons,
  insertCannedReason,
  lockCannedReasonRow,
  updateCannedReason as replaceReason,
} from '../../postgres/moderation/canned-reasons.ts'
import { insertAuditEntry, type NewAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { lockSiteRow } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'

export type { CannedReason } from '../../postgres/moderation/canned-reasons.ts'

/** More would not fit a list that moderators choose from. */
const MAX_REASONS = 100

type CannedReasonChange = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** Canned reasons, in the order of their creation. */
export const listCannedReasons = async (
  context: Context,
  page: { siteId: number; afterId: number; limit: number },
): Promise<{ items: CannedReason[]; nextId: number | null }> => {
  const rows = await runQuery(findReasons(context.db, page))
  const items = rows.slice(0, page.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}

/** Refuses with `invalid_request` if the site has 100 canned reasons already. */
export const createCannedReason = <Answer>(
  context: Context,
  {
    site,
    administrator,
    fields,
    idempotencyKey,
  }: CannedReasonChange & { fields: CannedReasonFields },
  present: (reason: CannedReason) => Answer,
): Promise<Answer> =>
  runOnce(context, idempotencyKey, async (tx) => {
    await lockSiteRow(tx, site.id)
    if ((await countCannedReasons(tx, site.id)) >= MAX_REASONS)
      throw new Refusal('invalid_request', { '': `a site has at most ${MAX_REASONS} reasons` })
    const after = await insertCannedReason(tx, site.id, fields)
    await insertAudit(
      tx,
      { site, administrator, id: after.id },
      { action: 'reason_created', after },
    )
    return present(after)
  })

/** Earlier decisions keep the text that they were made with. */
export const updateCannedReason = <Answer>(
  context: Context,
  request: CannedReasonChange & { id: number; change: Partial<CannedReasonFields> },
  present: (reason: CannedReason) => Answer,
): Promise<Answer> =>
  runOnce(context, request.idempotencyKey, async (tx) => {
    const before = await lockReason(tx, request)
    const after = await replaceReason(tx, request.site.id, { ...before, ...request.change })
    await insertAudit(tx, request, { action: 'reason_updated', before, after })
    return present(after)
  })

export const deleteCannedReason = <Answer>(
  context: Context,
  request: CannedReasonChange & { id: number },
  present: () => Answer,
): Promise<Answer> =>
  runOnce(context, request.idempotencyKey, async (tx) => {
    const before = await lockReason(tx, request)
    await dropReason(tx, request.site.id, before.id)
    await insertAudit(tx, request, { action: 'reason_deleted', before })
    return present()
  })

const lockReason = async (
  tx: Tx,
  { site, id }: { site: Site; id: number },
): Promise<CannedReason> => {
  const found = await lockCannedReasonRow(tx, site.id, id)
  if (!found) throw new Refusal('not_found')
  return found
}

type AuditChange = Pick<NewAuditEntry, 'action'> & { before?: CannedReason; after?: CannedReason }

const insertAudit = (
  tx: Tx,
  { site, administrator, id }: Omit<CannedReasonChange, 'idempotencyKey'> & { id: number },
  { action, before, after }: AuditChange,
): Promise<void> =>
  insertAuditEntry(tx, {
    siteId: site.id,
    action,
    subject: storedId('reason', id),
    by: callerIdOf(administrator),
    before: before ? fieldsOf(before) : null,
    after: after ? fieldsOf(after) : null,
  })

const fieldsOf = ({ title, reason, note }: CannedReason): CannedReasonFields => ({
  title,
  reason,
  note,
})
