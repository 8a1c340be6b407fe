/** Runs an attempt and answers what it gave; `undefined` when it failed or was not made at all. */
export type Breaker = <T>(attempt: () => Promise<T>) => Promise<T | undefined>

/** A cache slower than Postgres is not a cache. */
const COMMAND_TIMEOUT_MS = 50

/**
 * True when a command failed at once because its node is away, which costs nothing and says
 * nothing of the other masters of a cluster.
 */
export const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  (error.message === 'Connection is closed.' || error.name === 'MaxRetriesPerRequestError')

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
      if (isAway(error)) {
        if (probing) resumeAt = 0
        return undefined
      }
      // It refused this command, but it is there.
      open = !(error instanceof Error && error.name === 'ReplyError')
      resumeAt = performance.now() + pauseMs
      return undefined
    }
  }
}

/**
 * Rejects after 50 ms. An answer that has arrived by then, but was not looked at because this
 * process was busy, is in time: sockets are read once more before the verdict.
 */
export const withTimeout = <T>(command: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const giveUp = () => setImmediate(() => reject(new Error('Redis is late')))
    const timer = setTimeout(giveUp, COMMAND_TIMEOUT_MS)
    command.then(resolve, reject).finally(() => clearTimeout(timer))
  })
