import { nameOf, type Official } from '../../domain/people/caller.ts'
import { reasonId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import {
  type CannedReason,
  type CannedReasonFields,
  countCannedReasons,
  deleteCannedReason as dropReason,
  listCannedReasons as findReasons,
  holdCannedReason,
  insertCannedReason,
  updateCannedReason as replaceReason,
} from '../../postgres/moderation/canned-reasons.ts'
import { insertAuditEntry, type NewAuditEntry } from '../../postgres/service/audit.ts'
import type { Claim } from '../../postgres/service/idempotency.ts'
import { holdSite } from '../../postgres/service/sites.ts'
import type { World } from '../context.ts'
import { answerOnce } from '../run-once.ts'

export type { CannedReason } from '../../postgres/moderation/canned-reasons.ts'

/** So many fit a list that a moderator looks through. */
const MAX_REASONS = 100

type Act = {
  readonly site: Site
  readonly administrator: Official
  readonly claim: Claim | undefined
}

/** In the order in which they were made. */
export const listCannedReasons = async (
  world: World,
  page: { siteId: number; afterId: number; limit: number },
): Promise<{ items: CannedReason[]; nextId: number | null }> => {
  const rows = await asking(findReasons(world.db, page))
  const items = rows.slice(0, page.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}

/** Refuses with `invalid_request` when the site has as many as it may have. */
export const createCannedReason = <Answer>(
  world: World,
  { site, administrator, fields, claim }: Act & { fields: CannedReasonFields },
  present: (reason: CannedReason) => Answer,
): Promise<Answer> =>
  answerOnce(world, claim, async (tx) => {
    await holdSite(tx, site.id)
    if ((await countCannedReasons(tx, site.id)) >= MAX_REASONS)
      throw new Refusal('invalid_request', { '': `a site has at most ${MAX_REASONS} reasons` })
    const after = await insertCannedReason(tx, site.id, fields)
    await record(tx, { site, administrator, id: after.id }, { action: 'reason_created', after })
    return present(after)
  })

/** What decisions said before stays as it is: they have words of their own. */
export const updateCannedReason = <Answer>(
  world: World,
  request: Act & { id: number; change: Partial<CannedReasonFields> },
  present: (reason: CannedReason) => Answer,
): Promise<Answer> =>
  answerOnce(world, request.claim, async (tx) => {
    const before = await hold(tx, request)
    const after = await replaceReason(tx, request.site.id, { ...before, ...request.change })
    await record(tx, request, { action: 'reason_updated', before, after })
    return present(after)
  })

export const deleteCannedReason = <Answer>(
  world: World,
  request: Act & { id: number },
  present: () => Answer,
): Promise<Answer> =>
  answerOnce(world, request.claim, async (tx) => {
    const before = await hold(tx, request)
    await dropReason(tx, request.site.id, before.id)
    await record(tx, request, { action: 'reason_deleted', before })
    return present()
  })

const hold = async (tx: Tx, { site, id }: { site: Site; id: number }): Promise<CannedReason> => {
  const found = await holdCannedReason(tx, site.id, id)
  if (!found) throw new Refusal('not_found')
  return found
}

type Change = Pick<NewAuditEntry, 'action'> & { before?: CannedReason; after?: CannedReason }

const record = (
  tx: Tx,
  { site, administrator, id }: Omit<Act, 'claim'> & { id: number },
  { action, before, after }: Change,
): Promise<void> =>
  insertAuditEntry(tx, {
    siteId: site.id,
    action,
    subject: reasonId(id),
    by: nameOf(administrator),
    before: before ? wordsOf(before) : null,
    after: after ? wordsOf(after) : null,
  })

const wordsOf = ({ title, reason, note }: CannedReason): CannedReasonFields => ({
  title,
  reason,
  note,
})
