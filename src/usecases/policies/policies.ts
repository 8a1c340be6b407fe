import { Refusal } from '../../domain/refusal.ts'
import { SHIPPED_POLICY } from '../../domain/screening/default-policy.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { Site } from '../../domain/site/site.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import {
  listPolicies as findPolicies,
  findPolicy,
  type PolicyVersion,
} from '../../postgres/screening/policies.ts'
import { findSite } from '../../postgres/service/sites.ts'
import type { World } from '../context.ts'

/** A policy, and who made it; nobody has made the one that the service ships. */
export type KnownPolicy = {
  readonly [K in keyof PolicyVersion]: K extends 'version' ? number : PolicyVersion[K] | null
} & { readonly policy: Policy }

const SHIPPED: KnownPolicy = { version: 0, policy: SHIPPED_POLICY, note: null, by: null, at: null }

/** What comments are judged by at this moment. */
export const getPolicy = async (world: World, { slug }: Site): Promise<KnownPolicy> => {
  const { id: siteId, policyVersion: version } = (await asking(findSite(world.db, slug)))!
  return getPolicyVersion(world, { siteId, version })
}

/** Of a version there is only ever one. */
export const getPolicyVersion = async (
  world: World,
  at: { siteId: number; version: number },
): Promise<KnownPolicy> => {
  const found = at.version === 0 ? SHIPPED : await asking(findPolicy(world.db, at))
  if (!found) throw new Refusal('not_found')
  return found
}

/** What a site has gone by, latest first. */
export const listPolicies = async (
  world: World,
  request: { siteId: number; before: number | null; limit: number },
): Promise<{ items: PolicyVersion[]; next: number | null }> => {
  const rows = await asking(findPolicies(world.db, request))
  const items = rows.slice(0, request.limit)
  return { items, next: rows.length > items.length ? items.at(-1)!.version : null }
}
