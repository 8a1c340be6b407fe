import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type CompiledPolicy, judgeBy } from '../domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../domain/screening/default-policy.ts'
import { preparePolicy } from '../domain/screening/prepare-policy.ts'
import type { PreparedPolicy } from '../domain/screening/prepared-policy.ts'

/** The largest policy takes about half of this. Policies with short lists take some 100 kB each. */
const MAX_BYTES = 134_217_728
/** Drafts evict no policy in force, and give their memory back. */
const MAX_DRAFT_BYTES = 67_108_864
const DRAFT_LIFETIME_MS = 300_000

/** A compiled policy. A version of a policy never changes. */
export type PolicyInForce = {
  readonly version: number
  readonly policy: PreparedPolicy
  readonly judge: CompiledPolicy
}

export type PolicyCache = {
  /** Concurrent calls for one policy share one query and one compilation. */
  find: (site: { id: number; policyVersion: number }) => Promise<PolicyInForce>
  /** Compiles a draft once for all who try the same one. @param json a validated policy */
  prepareDraft: (json: string) => Promise<PreparedPolicy>
}

type Parts = {
  /** Loads a policy as JSON. */
  readonly load: (at: { siteId: number; version: number }) => Promise<string>
  readonly prepare: (json: string) => Promise<PreparedPolicy>
  readonly prepareDraft: (json: string) => Promise<PreparedPolicy>
  readonly maxBytes?: number
}

export const createPolicyCache = (parts: Parts): PolicyCache => {
  let defaultPolicy: PolicyInForce | undefined
  /** The default policy is compiled when a site first needs it, because that takes 10 ms. */
  const takeDefault = (): PolicyInForce => {
    defaultPolicy ??= toInForce(0, preparePolicy(DEFAULT_POLICY))
    return defaultPolicy
  }
  const known = new LRUCache<string, PolicyInForce>({
    maxSize: parts.maxBytes ?? MAX_BYTES,
    sizeCalculation: ({ policy }) => policy.bytes,
  })
  const drafts = new LRUCache<string, PreparedPolicy>({
    maxSize: MAX_DRAFT_BYTES,
    sizeCalculation: ({ bytes }) => bytes,
    ttl: DRAFT_LIFETIME_MS,
    ttlAutopurge: true,
  })
  const findOnce = shareCalls(known)
  const findDraftOnce = shareCalls(drafts)
  return {
    find: async ({ id: siteId, policyVersion: version }) =>
      version === 0
        ? takeDefault()
        : findOnce(`${siteId}:${version}`, async () =>
            toInForce(version, await parts.prepare(await parts.load({ siteId, version }))),
          ),
    prepareDraft: (json) =>
      findDraftOnce(createHash('sha256').update(json).digest('base64'), () =>
        parts.prepareDraft(json),
      ),
  }
}

/** Concurrent calls for one key share one call. A failed call is not remembered. */
const shareCalls = <T extends object>(known: LRUCache<string, T>) => {
  const calls = new Map<string, Promise<T>>()
  return async (key: string, make: () => Promise<T>): Promise<T> => {
    const found = known.get(key)
    if (found) return found
    const running = calls.get(key)
    if (running) return running
    const call = make()
      .then((made) => {
        known.set(key, made)
        return made
      })
      .finally(() => calls.delete(key))
    calls.set(key, call)
    return call
  }
}

const toInForce = (version: number, policy: PreparedPolicy): PolicyInForce => ({
  version,
  policy,
  judge: judgeBy(policy),
})
