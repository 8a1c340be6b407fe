import { setTimeout as sleep } from 'node:timers/promises'
import { type Job, type JobResult, siteDeletionJob } from '../../domain/job.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { enqueueJob, reportProgress } from '../../postgres/jobs/jobs.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import {
  countSite,
  deleteSiteRow,
  deleteSomeRows,
  listSiteTables,
  lockDeletedSiteRow,
  markSiteDeleted,
  type SiteCounts,
} from '../../postgres/service/site-deletion.ts'
import type { Context } from '../context.ts'
import { invalidate } from '../invalidate.ts'

export type { SiteCounts } from '../../postgres/service/site-deletion.ts'

type DeletionRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  /** The slug of the site, as the administrator confirms it. */
  readonly confirmed: string | undefined
}

/** Counts what the deletion of a site would delete. */
export const countSiteToDelete = (context: Context, site: Site): Promise<SiteCounts> =>
  runQuery(countSite(context.db, site.id))

/**
 * Deletes a site for good. Its first transaction makes the site unknown to every request and revokes its
 * keys; the response waits until no node has the site cached. A job then deletes the rows. The audit log
 * of the service keeps the deletion.
 */
export const deleteSite = async (
  context: Context,
  { site, administrator, confirmed }: DeletionRequest,
): Promise<void> => {
  if (confirmed !== site.slug)
    throw new Refusal('invalid_request', { '/confirm': 'must be the slug of the site' })
  await inTransaction(context.writes, async (tx) => {
    if (!(await markSiteDeleted(tx, site.id))) throw new Refusal('not_found')
    await enqueueJob(tx, siteDeletionJob(site.id))
    await insertAuditEntry(tx, {
      siteId: null,
      action: 'site_deleted',
      subject: site.slug,
      by: callerIdOf(administrator),
      before: { name: site.name, created_at: site.createdAt },
    })
  })
  for (const slug of [site.slug, site.formerSlug]) if (slug !== null) context.sites.forget(slug)
  await Promise.all([
    invalidate(context, { siteId: site.id, threadIds: [] }),
    sleep(context.hideWaitMs),
  ])
  context.kick('delete_site')
}

/** Rows per transaction; each row of a comment costs a change of twenty indexes. */
const BATCH_ROWS = 2_000

/** Deletes the rows of a deleted site, table by table. A run that was interrupted begins again with what is left. */
export const deleteSiteRows = async (
  context: Context,
  job: Job<'delete_site'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  const { siteId } = job.payload
  const tables = await runQuery(listSiteTables(context.db))
  for (const table of tables)
    for (let deleted = BATCH_ROWS; deleted === BATCH_ROWS; ) {
      if (signal.aborted) return { againInMs: 0 }
      deleted = await inTransaction(context.writes, (tx) =>
        deleteSomeRows(tx, { table, siteId, limit: BATCH_ROWS }),
      )
      if (!(await runQuery(reportProgress(context.writes, job, deleted)))) return 'done'
    }
  return inTransaction(context.writes, async (tx): Promise<JobResult> => {
    if (!(await lockDeletedSiteRow(tx, siteId))) return 'done'
    for (const table of tables) {
      const deleted = await deleteSomeRows(tx, { table, siteId, limit: BATCH_ROWS })
      if (deleted === BATCH_ROWS) return { againInMs: 0 }
    }
    await deleteSiteRow(tx, siteId)
    return 'done'
  })
}
