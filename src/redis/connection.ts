import { Redis } from 'ioredis'
import type { BaseLogger } from 'pino'

export type RedisLog = Pick<BaseLogger, 'info' | 'warn'>

/** Runs an attempt and answers what it gave; `undefined` when it failed or was not made at all. */
export type Breaker = <T>(attempt: () => Promise<T>) => Promise<T | undefined>

/** A cache slower than Postgres is not a cache. */
const COMMAND_TIMEOUT_MS = 50
const CONNECT_TIMEOUT_MS = 1_000
const RETRY_MAX_MS = 1_000

/** A connection whose packets are dropped would otherwise wait minutes for TCP to notice. */
const SILENCE_MS = 1_000

/**
 * A Redis that connects, and reconnects, by itself in the background. Nothing ever queues for it:
 * a command fails at once while it is away, and after 50 ms when it is late.
 */
export const createRedis = (url: string, log: RedisLog): Redis => {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SILENCE_MS,
    maxLoadingRetryTime: RETRY_MAX_MS,
    retryStrategy: (times) => Math.min(2 ** times * 25, RETRY_MAX_MS),
  })
  logAbsences(redis, log)
  return redis
}

/** Lets what was sent finish, for at most 50 ms, and stays away. Never rejects. */
export const closeRedis = async (redis: Redis): Promise<void> => {
  await redis.quit().catch(() => {})
  redis.disconnect()
}

/**
 * After a failure nobody asks again for `pauseMs`; then one attempt tries, while the others are
 * still told `undefined`, and its success ends the pause. Share one between all users of a
 * connection, so that a dead or frozen Redis costs one late command and not one per user.
 */
export const createBreaker = ({ pauseMs }: { pauseMs: number }): Breaker => {
  let open = false
  let resumeAt = 0
  return async (attempt) => {
    if (open && performance.now() < resumeAt) return undefined
    const probing = open
    if (probing) resumeAt = performance.now() + pauseMs
    try {
      const answer = await attempt()
      if (probing) open = false
      return answer
    } catch (error) {
      // It refused this command, but it is there.
      open = !(error instanceof Error && error.name === 'ReplyError')
      resumeAt = performance.now() + pauseMs
      return undefined
    }
  }
}

/** One line when Redis goes away and one when it is back, however often it was asked in between. */
const logAbsences = (redis: Redis, log: RedisLog): void => {
  const address = redis.options.path ?? `${redis.options.host}:${redis.options.port}`
  let away = false
  const noteAway = (reason: string): void => {
    if (!away) log.warn({ redis: address, reason }, `redis ${address} is away: ${reason}`)
    away = true
  }
  redis.on('error', (error: Error) => noteAway(reasonOf(error)))
  redis.on('reconnecting', () => noteAway('connection closed'))
  redis.on('ready', () => {
    if (away) log.info({ redis: address }, `redis ${address} is back`)
    away = false
  })
}

/** Of what Redis itself replied only the first word: an answer to AUTH can quote the password. */
const reasonOf = (error: Error): string =>
  error.name === 'ReplyError' ? (error.message.split(' ')[0] ?? error.name) : error.message
