import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { inTransaction } from '../../postgres/connection/transaction.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import { renameSite as changeSlug, isSlugTaken } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'

type RenameRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly slug: string
  /** How long the earlier slug still names the site. */
  readonly keepSeconds: number
}

/**
 * Gives a site another slug. The earlier slug names the site too for the given time, in paths and in the
 * audience of member tokens; only the latest earlier slug does. Refuses with `invalid_request` if the
 * new slug names another site.
 */
export const renameSite = async (
  context: Context,
  { site, administrator, slug, keepSeconds }: RenameRequest,
): Promise<Site> => {
  const renamed = await inTransaction(context.writes, async (tx) => {
    if (slug === site.slug || (await isSlugTaken(tx, slug, site.id)))
      throw new Refusal('invalid_request', { '/slug': 'is taken' })
    const after = await changeSlug(tx, site.id, { slug, keepSeconds })
    await insertAuditEntry(tx, {
      siteId: site.id,
      action: 'site_renamed',
      subject: slug,
      by: callerIdOf(administrator),
      before: { slug: site.slug },
      after: { slug, former_slug_until: after.formerSlugUntil },
    })
    return after
  })
  for (const known of [site.slug, site.formerSlug, slug])
    if (known !== null) context.sites.forget(known)
  return renamed
}
