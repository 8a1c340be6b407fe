import { LRUCache } from 'lru-cache'
import { type CompiledPolicy, compilePolicy } from '../domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../domain/screening/default-policy.ts'
import type { Policy } from '../domain/screening/policy.ts'

/** Size of the policies as JSON. Compiled word lists take about fifty times as much memory. */
const MAX_BYTES = 4_194_304

/** A compiled policy. A version of a policy never changes. */
export type PolicyInForce = {
  readonly version: number
  readonly policy: Policy
  readonly judge: CompiledPolicy
}

export type PolicyCache = {
  /** Concurrent calls for one policy share one query. */
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
  const defaultPolicy = toInForce(0, DEFAULT_POLICY)

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
      if (version === 0) return defaultPolicy
      const key = `${siteId}:${version}`
      return known.get(key) ?? loads.get(key) ?? loadOnce(key, { siteId, version })
    },
  }
}

const toInForce = (version: number, policy: Policy): PolicyInForce => ({
  version,
  policy,
  judge: compilePolicy(policy),
})
