import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
} from 'jose'
import { Refusal } from '../domain/refusal.ts'
import type { GuardedGet } from './guarded-get.ts'

/** What sites have at once; the one that was asked for longest ago goes first. */
const MAX_SETS = 1_000
/** Keys are fetched anew after so long. */
const CACHE_MS = 600_000
/** So long a key that is not among them does not make us fetch. */
const COOL_DOWN_MS = 30_000
/** So long nothing is fetched after it has failed. */
const FAILURE_PAUSE_MS = 5_000
/** So long the keys that are known stay good while no newer ones can be had. */
const MAX_AGE_MS = 86_400_000

/**
 * Public keys that others serve (JWKS, RFC 7517), fetched when they are needed. A key that they do not
 * have is a bad token; keys that cannot be had are `unavailable`.
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
  let failedAt = Number.NEGATIVE_INFINITY
  let fetchedAt = Number.NEGATIVE_INFINITY
  const fetchKeys = async (): Promise<Response> => {
    if (performance.now() - failedAt < FAILURE_PAUSE_MS) throw new Error('it failed a moment ago')
    try {
      const keys = JSON.parse(await get(jwksUrl))
      createLocalJWKSet(keys)
      fetchedAt = performance.now()
      return Response.json(keys)
    } catch (error) {
      failedAt = performance.now()
      throw error
    }
  }
  const remote = createRemoteJWKSet(new URL(jwksUrl), {
    [customFetch]: fetchKeys,
    cacheMaxAge: CACHE_MS,
    cooldownDuration: COOL_DOWN_MS,
  })
  return async (header, token) => {
    try {
      return await remote(header, token)
    } catch (error) {
      // They were there, and none of them fits.
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
