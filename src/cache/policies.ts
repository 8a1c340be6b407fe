import { LRUCache } from 'lru-cache'
import { type CompiledPolicy, compilePolicy } from '../domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../domain/screening/default-policy.ts'
import type { Policy } from '../domain/screening/policy.ts'

/** Of policies as they are written. Made ready, lists of words take fifty times as much. */
const MAX_BYTES = 4_194_304

/** A policy as it is used. Of one version there is never another one. */
export type PolicyInForce = {
  readonly version: number
  readonly policy: Policy
  readonly screen: CompiledPolicy
}

export type PolicyCache = {
  /** One look-up at a time for each, however many ask. */
  find: (site: { id: number; policyVersion: number }) => Promise<PolicyInForce>
}

export const createPolicyCache = (
  load: (at: { siteId: number; version: number }) => Promise<Policy>,
): PolicyCache => {
  const known = new LRUCache<string, PolicyInForce>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ policy }) => JSON.stringify(policy).length,
  })
  const loads = new Map<string, Promise<PolicyInForce>>()
  const shipped = toInForce(0, DEFAULT_POLICY)

  const loadOnce = (key: string, at: { siteId: number; version: number }) => {
    const loading = load(at)
      .then((policy) => {
        const inForce = toInForce(at.version, policy)
        known.set(key, inForce)
        return inForce
      })
      .finally(() => loads.delete(key))
    loads.set(key, loading)
    return loading
  }

  return {
    find: async ({ id: siteId, policyVersion: version }) => {
      if (version === 0) return shipped
      const key = `${siteId}:${version}`
      return known.get(key) ?? loads.get(key) ?? loadOnce(key, { siteId, version })
    },
  }
}

const toInForce = (version: number, policy: Policy): PolicyInForce => ({
  version,
  policy,
  screen: compilePolicy(policy),
})
