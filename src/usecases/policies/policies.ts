import { Refusal } from '../../domain/refusal.ts'
import { DEFAULT_POLICY } from '../../domain/screening/default-policy.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  listPolicies as findPolicies,
  findPolicy,
  type PolicyVersion,
} from '../../postgres/screening/policies.ts'
import { findSite } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'

/** A policy, and who made it; nobody has made the one that the service ships. */
export type VersionedPolicy = {
  readonly [K in keyof PolicyVersion]: K extends 'version' ? number : PolicyVersion[K] | null
} & { readonly policy: Policy }

const SHIPPED: VersionedPolicy = {
  version: 0,
  policy: DEFAULT_POLICY,
  note: null,
  by: null,
  at: null,
}

/** What comments are judged by at this moment. */
export const getPolicy = async (context: Context, { slug }: Site): Promise<VersionedPolicy> => {
  const { id: siteId, policyVersion: version } = (await runQuery(findSite(context.db, slug)))!
  return getPolicyVersion(context, { siteId, version })
}

/** Of a version there is only ever one. */
export const getPolicyVersion = async (
  context: Context,
  at: { siteId: number; version: number },
): Promise<VersionedPolicy> => {
  const found = at.version === 0 ? SHIPPED : await runQuery(findPolicy(context.db, at))
  if (!found) throw new Refusal('not_found')
  return found
}

/** What a site has gone by, latest first. */
export const listPolicies = async (
  context: Context,
  request: { siteId: number; before: number | null; limit: number },
): Promise<{ items: PolicyVersion[]; next: number | null }> => {
  const rows = await runQuery(findPolicies(context.db, request))
  const items = rows.slice(0, request.limit)
  return { items, next: rows.length > items.length ? items.at(-1)!.version : null }
}
