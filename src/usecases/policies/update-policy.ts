import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { insertPolicy } from '../../postgres/screening/policies.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { lockSiteRow } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { getPolicyVersion, type VersionedPolicy } from './policies.ts'

type Request = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly note: string | null
  /** The version that the administrator has seen, if it says so. */
  readonly ifVersion: number | undefined
  readonly claim: IdempotencyKey | undefined
}

/** Has a site go by another policy, from the next comment on. It has been checked. */
export const updatePolicy = async <Answer>(
  context: Context,
  request: Request & { readonly policy: Policy },
  present: (known: VersionedPolicy) => Answer,
): Promise<Answer> => {
  const answer = await runOnce(context, request.claim, async (tx) =>
    present(await makeVersion(tx, request)),
  )
  context.sites.forget(request.site.slug)
  return answer
}

/** Goes by what an earlier version says; nothing of the history is lost. */
export const restorePolicy = async <Answer>(
  context: Context,
  request: Request & { readonly version: number },
  present: (known: VersionedPolicy) => Answer,
): Promise<Answer> => {
  const { site, version } = request
  const { policy } = await getPolicyVersion(context, { siteId: site.id, version })
  return updatePolicy(context, { ...request, policy }, present)
}

/** Whoever holds the site makes the next version; the audit says which, and not what is in it. */
const makeVersion = async (
  tx: Tx,
  request: Request & { policy: Policy; version?: number },
): Promise<VersionedPolicy> => {
  const { site, administrator, policy, note, ifVersion, version: restored } = request
  const { policyVersion: before } = await lockSiteRow(tx, site.id)
  if (ifVersion !== undefined && ifVersion !== before) throw new Refusal('edit_conflict')
  const by = callerIdOf(administrator)
  const made = await insertPolicy(tx, { siteId: site.id, version: before + 1, policy, note, by })
  await insertAuditEntry(tx, {
    siteId: site.id,
    action: 'policy_updated',
    subject: site.slug,
    by,
    before: { policy_version: before },
    after: { policy_version: made.version, ...(restored !== undefined && { restored }) },
  })
  return { ...made, policy }
}
