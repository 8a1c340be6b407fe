import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
} from 'jose'
import { createBreaker } from '../domain/breaker.ts'
import { Refusal } from '../domain/refusal.ts'
import type { GuardedGet } from './guarded-get.ts'

/** Key sets kept in memory; the set that was used longest ago is dropped first. */
const MAX_SETS = 1_000
/** Age at which keys are fetched again. */
const CACHE_MS = 600_000
/** How long the keys are not fetched again because of a token whose key is not among them. */
const COOL_DOWN_MS = 30_000
/** How long the keys are not fetched again after a failed fetch. */
const FAILURE_PAUSE_MS = 5_000
/** How long known keys stay valid while they cannot be fetched again. */
const MAX_AGE_MS = 86_400_000

/**
 * Public keys (JWKS, RFC 7517) of sign-on services, fetched on demand. A token whose key is not in the set
 * is invalid; a set that cannot be fetched is `unavailable`.
 */
export const createPublicKeys = (get: GuardedGet): ((jwksUrl: string) => JWTVerifyGetKey) => {
  const sets = new Map<string, JWTVerifyGetKey>()
  return (jwksUrl) => {
    const set = sets.get(jwksUrl) ?? createSet(get, jwksUrl)
    sets.delete(jwksUrl)
    sets.set(jwksUrl, set)
    if (sets.size > MAX_SETS) sets.delete(sets.keys().next().value!)
    return set
  }
}

const createSet = (get: GuardedGet, jwksUrl: string): JWTVerifyGetKey => {
  let fetchedAt = Number.NEGATIVE_INFINITY
  const breaker = createBreaker({
    failures: 1,
    pauseMs: FAILURE_PAUSE_MS,
    now: () => performance.now(),
  })
  const fetchKeys = async (): Promise<Response> => {
    const keys = JSON.parse(await get(jwksUrl))
    createLocalJWKSet(keys)
    fetchedAt = performance.now()
    return Response.json(keys)
  }
  const remote = createRemoteJWKSet(new URL(jwksUrl), {
    [customFetch]: () => breaker(jwksUrl, fetchKeys),
    cacheMaxAge: CACHE_MS,
    cooldownDuration: COOL_DOWN_MS,
  })
  return async (header, token) => {
    try {
      return await remote(header, token)
    } catch (error) {
      // The keys were fetched, and none of them fits the token.
      if (isAboutToken(error)) throw error
      const known = remote.jwks()
      if (!known || performance.now() - fetchedAt > MAX_AGE_MS)
        throw new Refusal('unavailable', {}, { cause: error })
      return createLocalJWKSet(known)(header, token)
    }
  }
}

const isAboutToken = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported
