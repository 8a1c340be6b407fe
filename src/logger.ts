import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'

/**
 * Logs JSON lines to standard output. Of an error it logs only the properties named below: drivers add
 * connection parameters and values of rows to their errors.
 */
export const createLogger = (level: string): FastifyBaseLogger =>
  pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
  })

const describeError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const { code } = error as NodeJS.ErrnoException
  return {
    type: name,
    code,
    message,
    stack,
    ...(cause !== undefined && { cause: describeError(cause) }),
  }
}
