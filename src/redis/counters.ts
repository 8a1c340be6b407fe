import { setImmediate as endOfTurn } from 'node:timers/promises'
import type { Counters } from '../domain/counters.ts'
import { type RedisBreaker, withTimeout } from './breaker.ts'
import { isCluster, type RedisClient } from './client.ts'

type Hit = { readonly key: string; readonly windowMs: number; readonly by: number }

type CountingRedis = RedisClient & {
  countHits: (count: number, ...keysAndHits: readonly (string | number)[]) => Promise<number[]>
}

/**
 * Atomic for all nodes. Sets an expiry again that was lost, or that a clock of Redis has made longer by a step back.
 * Otherwise the limit would refuse its caller for ever, or for the length of the step.
 */
const COUNT_HITS = `
  local counted = {}
  for i, key in ipairs(KEYS) do
    local window = tonumber(ARGV[2 * i - 1])
    local current = redis.call('INCRBY', key, ARGV[2 * i])
    local ttl = redis.call('PTTL', key)
    if ttl < 0 or ttl > window then
      redis.call('PEXPIRE', key, window)
      ttl = window
    end
    counted[2 * i - 1] = current
    counted[2 * i] = ttl
  end
  return counted
`

/**
 * Counts across all nodes while Redis answers, and with `fallback` otherwise, so that a limit always
 * applies. The fallback counts every hit, so that an outage does not start the count of this node again.
 * The hits of one turn of the event loop share a command, because each command costs a system call. No hit waits for
 * the answer to another command: the 50 ms of a slow Redis would add up.
 */
export const createRedisCounters = (
  redis: RedisClient,
  fallback: Counters,
  breaker: RedisBreaker,
): Counters => {
  redis.defineCommand('countHits', { lua: COUNT_HITS })
  const counting = redis as CountingRedis
  const countAll = async (hits: readonly Hit[]) => {
    const keys = hits.map(({ key }) => `afterword:limit:{${key}}`)
    const values = hits.flatMap(({ windowMs, by }) => [windowMs, by])
    const counted = await breaker(() =>
      withTimeout(counting.countHits(keys.length, ...keys, ...values)),
    )
    return hits.map((_, i) => counted && { current: counted[2 * i]!, ttlMs: counted[2 * i + 1]! })
  }
  let turn: { readonly hits: Hit[]; readonly counts: ReturnType<typeof countAll> } | undefined
  const openTurn = () => {
    const hits: Hit[] = []
    const counts = endOfTurn().then(() => {
      turn = undefined
      return countAll(hits)
    })
    return { hits, counts }
  }
  /** In a cluster, the keys of one command belong to one slot. */
  const count = async (hit: Hit) => {
    if (isCluster(redis)) return (await countAll([hit]))[0]
    turn ??= openTurn()
    const place = turn.hits.push(hit) - 1
    return (await turn.counts)[place]
  }
  return {
    hit: async (key, windowMs, by = 1) => {
      const local = await fallback.hit(key, windowMs, by)
      return (await count({ key, windowMs, by })) ?? local
    },
  }
}
