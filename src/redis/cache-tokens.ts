import { setTimeout as sleep } from 'node:timers/promises'
import { createBatcher } from '../domain/batcher.ts'
import type { CacheTokenName, CacheTokens, CacheTokenTimings } from '../domain/cache-tokens.ts'
import { isAway, type RedisBreaker, withTimeout } from './breaker.ts'
import { isCluster, type RedisClient } from './client.ts'
import { onPossibleFailover } from './connection.ts'

const LIFETIME_SECONDS = 86_400

/**
 * Reads share commands, because each command costs a system call: at 10,000 reads a second, a command per
 * millisecond takes a fifth of the time of all cached reads.
 */
const SPACING = { ms: 1, busyMs: 3, busyCalls: 8, enoughCalls: 32 }

type ReplacingRedis = RedisClient & {
  replaceTokens: (count: number, ...keysAndTokens: readonly string[]) => Promise<unknown>
}

/** A transaction of posts changes many threads, and each command costs a system call. */
const REPLACE_TOKENS = `
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, ARGV[i], 'EX', ${LIFETIME_SECONDS})
  end
`

const RETRY_MS = 500
const MAX_RETRIED = 500

/**
 * Cache tokens that all nodes share. After a failed or late command, and after a possible failover, this
 * node trusts no token for `distrustMs`: its cached copies can be from a Redis with other tokens.
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
      // The node has distrusted its tokens since it lost the connection to this master.
      if (!isAway(error)) distrust()
      throw error
    }
  }
  const findAll = async (names: readonly CacheTokenName[]): Promise<(string | undefined)[]> => {
    const found = await breaker(() => attempt(() => readAll(redis, names)))
    return names.map((_, i) => found?.[i] ?? undefined)
  }
  redis.defineCommand('replaceTokens', { lua: REPLACE_TOKENS })
  const replace = (names: readonly CacheTokenName[]) =>
    (redis as ReplacingRedis).replaceTokens(
      names.length,
      ...names.map(keyOf),
      ...names.map(newToken),
    )
  /** In a cluster, the names of one command belong to one slot. */
  const replaceAll = (names: readonly CacheTokenName[]): Promise<unknown> =>
    isCluster(redis) ? Promise.all(names.map((name) => replace([name]))) : replace(names)
  const attemptAll = (names: readonly CacheTokenName[]): Promise<boolean> =>
    attempt(() => replaceAll(names)).then(
      () => true,
      () => false,
    )
  const retry = createRetries(attemptAll)
  return {
    find: createBatcher(findAll, (name) => name, SPACING),
    offer: (name) => {
      const create = () => redis.set(keyOf(name), newToken(), 'EX', LIFETIME_SECONDS, 'NX')
      void breaker(() => attempt(create))
    },
    // Also during a pause of the breaker: Redis can be away from this node alone.
    invalidate: async (names) => {
      const isDone = await attemptAll(names)
      if (!isDone) retry(names)
      return isDone
    },
    trustedFrom: () => trustedFrom,
  }
}

/**
 * Retries failed invalidations until they succeed. The hide has waited until every cached copy has expired,
 * but a node that loses Postgres later would serve an expired copy whose token is unchanged.
 */
const createRetries = (replaceAll: (names: readonly CacheTokenName[]) => Promise<boolean>) => {
  const failed = new Set<CacheTokenName>()
  let isRunning = false
  const run = async (): Promise<void> => {
    isRunning = true
    while (failed.size > 0) {
      await sleep(RETRY_MS, undefined, { ref: false })
      const names = [...failed].slice(0, MAX_RETRIED)
      if (await replaceAll(names)) for (const name of names) failed.delete(name)
    }
    isRunning = false
  }
  return (names: readonly CacheTokenName[]): void => {
    for (const name of names) failed.add(name)
    if (!isRunning) void run()
  }
}

const keyOf = (name: CacheTokenName): string => `{${name}}k`

/**
 * One command on a single Redis. In a cluster the names belong to several slots, and a master that is away
 * fails only its own names.
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
