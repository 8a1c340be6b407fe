import { nameOf, type Official } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { insertPolicy } from '../../postgres/screening/policies.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { Claim } from '../../postgres/service/idempotency.ts'
import { holdSite } from '../../postgres/service/sites.ts'
import type { World } from '../context.ts'
import { answerOnce } from '../run-once.ts'
import { getPolicyVersion, type KnownPolicy } from './policies.ts'

type Request = {
  readonly site: Site
  readonly administrator: Official
  readonly note: string | null
  /** The version that the administrator has seen, if it says so. */
  readonly ifVersion: number | undefined
  readonly claim: Claim | undefined
}

/** Has a site go by another policy, from the next comment on. It has been checked. */
export const updatePolicy = async <Answer>(
  world: World,
  request: Request & { readonly policy: Policy },
  present: (known: KnownPolicy) => Answer,
): Promise<Answer> => {
  const answer = await answerOnce(world, request.claim, async (tx) =>
    present(await makeVersion(tx, request)),
  )
  world.sites.forget(request.site.slug)
  return answer
}

/** Goes by what an earlier version says; nothing of the history is lost. */
export const restorePolicy = async <Answer>(
  world: World,
  request: Request & { readonly version: number },
  present: (known: KnownPolicy) => Answer,
): Promise<Answer> => {
  const { site, version } = request
  const { policy } = await getPolicyVersion(world, { siteId: site.id, version })
  return updatePolicy(world, { ...request, policy }, present)
}

/** Whoever holds the site makes the next version; the audit says which, and not what is in it. */
const makeVersion = async (
  tx: Tx,
  request: Request & { policy: Policy; version?: number },
): Promise<KnownPolicy> => {
  const { site, administrator, policy, note, ifVersion, version: restored } = request
  const { policyVersion: before } = await holdSite(tx, site.id)
  if (ifVersion !== undefined && ifVersion !== before) throw new Refusal('edit_conflict')
  const by = nameOf(administrator)
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
