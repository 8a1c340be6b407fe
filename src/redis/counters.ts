import type { Counters } from '../domain/counters.ts'
import { type RedisBreaker, withTimeout } from './breaker.ts'
import type { RedisClient } from './client.ts'

type CountingRedis = RedisClient & {
  countHit: (key: string, windowMs: number, by: number) => Promise<[current: number, ttlMs: number]>
}

/**
 * Atomic for all nodes. Sets an expiry again that was lost, or that a clock of Redis has made longer by a step back.
 * Otherwise the limit would refuse its caller for ever, or for the length of the step.
 */
const COUNT_HIT = `
  local current = redis.call('INCRBY', KEYS[1], ARGV[2])
  local ttl = redis.call('PTTL', KEYS[1])
  if ttl < 0 or ttl > tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    ttl = tonumber(ARGV[1])
  end
  return { current, ttl }
`

/**
 * Counts across all nodes while Redis answers, and with `fallback` otherwise, so that a limit always
 * applies. The fallback counts every hit, so that an outage does not start the count of this node again.
 */
export const createRedisCounters = (
  redis: RedisClient,
  fallback: Counters,
  breaker: RedisBreaker,
): Counters => {
  redis.defineCommand('countHit', { numberOfKeys: 1, lua: COUNT_HIT })
  const counting = redis as CountingRedis
  return {
    hit: async (key, windowMs, by = 1) => {
      const local = await fallback.hit(key, windowMs, by)
      const shared = await breaker(() =>
        withTimeout(counting.countHit(`afterword:limit:{${key}}`, windowMs, by)),
      )
      return shared === undefined ? local : { current: shared[0], ttlMs: shared[1] }
    },
  }
}
