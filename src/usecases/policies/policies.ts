import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { DEFAULT_POLICY } from '../../domain/screening/default-policy.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  listPolicies as findPolicies,
  findPolicy,
  insertPolicy,
  type PolicyVersion,
} from '../../postgres/screening/policies.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { findSite, lockSiteRow } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { compileDraft } from './compile-draft.ts'

/** A policy with its version and its maker. Maker, note and time are null for the default policy. */
export type VersionedPolicy = {
  readonly [K in keyof PolicyVersion]: K extends 'version' ? number : PolicyVersion[K] | null
} & { readonly policy: Policy }

const VERSION_0: VersionedPolicy = {
  version: 0,
  policy: DEFAULT_POLICY,
  note: null,
  by: null,
  at: null,
}

/** The policy in force, read past the cache. */
export const getPolicy = async (context: Context, { slug }: Site): Promise<VersionedPolicy> => {
  const { id: siteId, policyVersion: version } = (await runQuery(findSite(context.db, slug)))!
  return getPolicyVersion(context, { siteId, version })
}

export const getPolicyVersion = async (
  context: Context,
  at: { siteId: number; version: number },
): Promise<VersionedPolicy> => {
  const found = at.version === 0 ? VERSION_0 : await runQuery(findPolicy(context.db, at))
  if (!found) throw new Refusal('not_found')
  return found
}

/** The versions of a site's policy without the rules, latest first. */
export const listPolicies = async (
  context: Context,
  request: { siteId: number; before: number | null; limit: number },
): Promise<{ items: PolicyVersion[]; next: number | null }> => {
  const rows = await runQuery(findPolicies(context.db, request))
  const items = rows.slice(0, request.limit)
  return { items, next: rows.length > items.length ? items.at(-1)!.version : null }
}

type PolicyRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly note: string | null
  /** The version that the administrator saw; undefined if the request names none. */
  readonly ifVersion: number | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** Creates a policy version, which applies from the next comment. The caller has validated the policy. */
export const updatePolicy = async <Answer>(
  context: Context,
  request: PolicyRequest & { readonly policy: Policy },
  present: (known: VersionedPolicy) => Answer,
): Promise<Answer> => {
  await compileDraft(context, request.policy)
  const answer = await runOnce(context, request.idempotencyKey, async (tx) =>
    present(await createVersion(tx, request)),
  )
  context.sites.forget(request.site.slug)
  return answer
}

/** Creates a new version with the rules of an earlier one. */
export const restorePolicy = async <Answer>(
  context: Context,
  request: PolicyRequest & { readonly version: number },
  present: (known: VersionedPolicy) => Answer,
): Promise<Answer> => {
  const { site, version } = request
  const { policy } = await getPolicyVersion(context, { siteId: site.id, version })
  return updatePolicy(context, { ...request, policy }, present)
}

/** The lock on the site's row numbers versions without gaps. The audit log records no rules. */
const createVersion = async (
  tx: Tx,
  request: PolicyRequest & { policy: Policy; version?: number },
): Promise<VersionedPolicy> => {
  const { site, administrator, policy, note, ifVersion, version: restored } = request
  const { policyVersion: before } = await lockSiteRow(tx, site.id)
  if (ifVersion !== undefined && ifVersion !== before) throw new Refusal('edit_conflict')
  const by = callerIdOf(administrator)
  const created = await insertPolicy(tx, { siteId: site.id, version: before + 1, policy, note, by })
  await insertAuditEntry(tx, {
    siteId: site.id,
    action: 'policy_updated',
    subject: site.slug,
    by,
    before: { policy_version: before },
    after: { policy_version: created.version, ...(restored !== undefined && { restored }) },
  })
  return { ...created, policy }
}
