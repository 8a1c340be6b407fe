import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import { listSites as findSites, insertSite } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { type DescribeSite, resolveSettings, type SiteSettings } from './update-site.ts'

type NewSite = { readonly slug: string; readonly name: string } & SiteSettings

/** Makes a site. Refuses with `invalid_request` when its slug is taken. */
export const createSite = async (
  context: Context,
  { administrator, site: wanted }: { administrator: StaffCaller; site: NewSite },
  describe: DescribeSite,
): Promise<Site> => {
  const { slug, name, ...settings } = wanted
  const site = await inTransaction(context.writes, async (tx) => {
    const change = resolveSettings(settings, { limits: {}, signOn: null, checks: [] })
    const made = await insertSite(tx, { ...change, slug, name })
    if (!made) throw new Refusal('invalid_request', { '/slug': 'is taken' })
    await insertAuditEntry(tx, {
      siteId: made.id,
      action: 'site_created',
      subject: slug,
      by: callerIdOf(administrator),
      after: describe(made),
    })
    return made
  })
  context.sites.forget(slug)
  return site
}

/** All sites, in the order in which they were made. */
export const listSites = async (
  context: Context,
  page: { afterId: number; limit: number },
): Promise<{ items: Site[]; nextId: number | null }> => {
  const rows = await runQuery(findSites(context.db, page))
  const items = rows.slice(0, page.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
