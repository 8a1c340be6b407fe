import { setTimeout as sleep } from 'node:timers/promises'
import { createBatcher } from '../domain/batcher.ts'
import type { CacheTokenName, CacheTokens, CacheTokenTimings } from '../domain/cache-tokens.ts'
import { isAway, type RedisBreaker, withTimeout } from './breaker.ts'
import { isCluster, type RedisClient } from './client.ts'
import { onPossibleFailover } from './connection.ts'

const LIFETIME_SECONDS = 86_400

/** At 10,000 reads a second a question of their own for every few of them is a seventh of all work. */
const SPACING_MS = 1

const RETRY_MS = 500
const MAX_AT_ONCE = 500

/**
 * Tokens that all nodes share. After any failed or late command, and whenever the connection may
 * be another one, this node trusts none for `distrustMs`: what it remembers may be from a Redis
 * that knew less, or more, than this one.
 */
export const createRedisCacheTokens = (
  redis: RedisClient,
  breaker: RedisBreaker,
  { newToken, distrustMs }: Pick<CacheTokenTimings, 'newToken' | 'distrustMs'>,
): CacheTokens => {
  let trustedFrom = 0
  const distrust = (): void => {
    if (distrustMs > 0) trustedFrom = performance.now() + distrustMs
  }
  onPossibleFailover(redis, distrust)
  const attempt = async <T>(command: () => Promise<T>): Promise<T> => {
    try {
      return await withTimeout(command())
    } catch (error) {
      // Whose master is away has been distrusted when it went.
      if (!isAway(error)) distrust()
      throw error
    }
  }
  const ask = async (names: readonly CacheTokenName[]): Promise<(string | undefined)[]> => {
    const found = await breaker(() => attempt(() => readAll(redis, names)))
    return names.map((_, i) => found?.[i] ?? undefined)
  }
  const replace = (name: CacheTokenName) =>
    redis.set(keyOf(name), newToken(), 'EX', LIFETIME_SECONDS)
  const attemptAll = (names: readonly CacheTokenName[]): Promise<boolean> =>
    attempt(() => Promise.all(names.map(replace))).then(
      () => true,
      () => false,
    )
  const owe = createDebts(attemptAll)
  return {
    find: createBatcher(ask, (name) => name, SPACING_MS),
    offer: (name) => {
      const make = () => redis.set(keyOf(name), newToken(), 'EX', LIFETIME_SECONDS, 'NX')
      void breaker(() => attempt(make))
    },
    // Tried whatever the breaker says: it may be only this node that Redis is away from.
    announce: async (names) => {
      const isDone = await attemptAll(names)
      if (!isDone) owe(names)
      return isDone
    },
    trustedFrom: () => trustedFrom,
  }
}

/**
 * What could not be announced is tried again until it can be: the hide has waited until no node goes
 * by what it remembers, but one that loses Postgres later would.
 */
const createDebts = (pay: (names: readonly CacheTokenName[]) => Promise<boolean>) => {
  const owed = new Set<CacheTokenName>()
  let isPaying = false
  const payAll = async (): Promise<void> => {
    isPaying = true
    while (owed.size > 0) {
      await sleep(RETRY_MS, undefined, { ref: false })
      const some = [...owed].slice(0, MAX_AT_ONCE)
      if (await pay(some)) for (const name of some) owed.delete(name)
    }
    isPaying = false
  }
  return (names: readonly CacheTokenName[]): void => {
    for (const name of names) owed.add(name)
    if (!isPaying) void payAll()
  }
}

const keyOf = (name: CacheTokenName): string => `{${name}}k`

/**
 * One command on a single Redis. In a cluster the names are of several slots: a master that is away
 * fails only its own.
 */
const readAll = (
  redis: RedisClient,
  names: readonly CacheTokenName[],
): Promise<(string | null | undefined)[]> =>
  isCluster(redis)
    ? Promise.all(names.map((name) => redis.get(keyOf(name)).catch(undefinedIfAway)))
    : redis.mget(names.map(keyOf))

const undefinedIfAway = (error: unknown): undefined => {
  if (!isAway(error)) throw error
}
