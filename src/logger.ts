import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'

/**
 * JSON lines on standard output. Of an error only what tells where it happened: drivers hang
 * connection parameters and the values of rows on theirs.
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
