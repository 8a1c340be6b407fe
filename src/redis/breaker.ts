import { createBreaker } from '../domain/breaker.ts'
import { withDeadline } from '../domain/deadline.ts'

/** Runs an attempt and returns its result; `undefined` if it failed or was refused. */
export type RedisBreaker = <T>(attempt: () => Promise<T>) => Promise<T | undefined>

/** A cache slower than Postgres is not a cache. */
const COMMAND_TIMEOUT_MS = 50

/**
 * True if a command failed immediately because the connection to its node is down. Such a failure costs
 * nothing and shows nothing about the other masters of a cluster.
 */
export const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  (error.message === 'Connection is closed.' || error.name === 'MaxRetriesPerRequestError')

const judge = (error: unknown) => {
  if (isAway(error)) return 'unknown'
  return error instanceof Error && error.name === 'ReplyError' ? 'answered' : 'failed'
}

/**
 * One failure begins a pause. All users of a connection share its breaker, so that a dead or frozen Redis
 * costs one late command instead of one per user.
 */
export const createRedisBreaker = ({ pauseMs }: { pauseMs: number }): RedisBreaker => {
  const breaker = createBreaker({ failures: 1, pauseMs, judge, now: () => performance.now() })
  return (attempt) => breaker('redis', attempt).catch(() => undefined)
}

/** Rejects if Redis has not answered the command after 50 ms. */
export const withTimeout = <T>(command: Promise<T>): Promise<T> =>
  withDeadline(COMMAND_TIMEOUT_MS, command, () => new Error('Redis did not answer in time'))
