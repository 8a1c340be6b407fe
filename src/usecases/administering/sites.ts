import { differenceOf } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  updateSite as changeSite,
  listSites as findSites,
  insertSite,
  isSlugTaken,
  lockSiteRow,
} from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { resolveSettings, type SiteSettings } from './site-settings.ts'

/** The part of a site that the API returns and the audit log records: no secrets. */
export type DescribeSite = (site: Site) => Readonly<Record<string, unknown>>

/** All sites, in the order of their creation. */
export const listSites = async (
  context: Context,
  page: { afterId: number; limit: number },
): Promise<{ items: Site[]; nextId: number | null }> => {
  const rows = await runQuery(findSites(context.db, page))
  const items = rows.slice(0, page.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}

type NewSite = { readonly slug: string; readonly name: string } & SiteSettings

/** Creates a site. Refuses with `invalid_request` if its slug is taken. */
export const createSite = async (
  context: Context,
  { administrator, site: wanted }: { administrator: StaffCaller; site: NewSite },
  describe: DescribeSite,
): Promise<Site> => {
  const { slug, name, ...settings } = wanted
  const site = await inTransaction(context.writes, async (tx) => {
    const resolved = resolveSettings(settings)
    const isTaken = await isSlugTaken(tx, slug)
    const created = isTaken ? undefined : await insertSite(tx, { ...resolved, slug, name })
    if (!created) throw new Refusal('invalid_request', { '/slug': 'is taken' })
    await insertAuditEntry(tx, {
      siteId: created.id,
      action: 'site_created',
      subject: slug,
      by: callerIdOf(administrator),
      after: describe(created),
    })
    return created
  })
  context.sites.forget(slug)
  return site
}

type UpdateRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly settings: SiteSettings
  /** The version that the administrator saw; undefined if the request names none. */
  readonly ifVersion: number | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** Changes a site's settings. Other nodes read with the new settings within a second; writes use them immediately. */
export const updateSite = async <Answer>(
  context: Context,
  request: UpdateRequest,
  { present, describe }: { present: (site: Site) => Answer; describe: DescribeSite },
): Promise<Answer> => {
  const answer = await runOnce(context, request.idempotencyKey, async (tx) =>
    present(await update(tx, request, describe)),
  )
  context.sites.forget(request.site.slug)
  return answer
}

const update = async (
  tx: Tx,
  { site, administrator, settings, ifVersion }: UpdateRequest,
  describe: DescribeSite,
): Promise<Site> => {
  const before = await lockSiteRow(tx, site.id)
  if (ifVersion !== undefined && ifVersion !== before.version) throw new Refusal('edit_conflict')
  const after = await changeSite(tx, site.id, resolveSettings(settings, before))
  await insertAuditEntry(tx, {
    siteId: site.id,
    action: 'site_updated',
    subject: site.slug,
    by: callerIdOf(administrator),
    ...differenceOf(describe(before), describe(after)),
  })
  return after
}
