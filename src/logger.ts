import type { FastifyBaseLogger } from 'fastify'
import { type DestinationStream, destination, pino } from 'pino'

/**
 * Logs JSON lines to standard output. Of an error it logs only the properties named below: drivers add
 * connection parameters and values of rows to their errors.
 */
export const createLogger = (level: string): FastifyBaseLogger =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
    },
    createOutput(),
  )

/**
 * Writes the lines of some milliseconds together: a system call for each line takes a tenth of the time of a
 * cached read. The remaining lines are written before the process exits; a killed process loses them.
 */
const createOutput = (): DestinationStream => {
  const output = destination({ dest: 1, sync: true })
  let lines = ''
  const flush = (): void => {
    if (lines !== '') output.write(lines)
    lines = ''
  }
  process.on('exit', flush)
  return {
    write: (line) => {
      if (lines === '') setTimeout(flush, LINES_MS)
      lines += line
      if (lines.length >= MAX_LENGTH) flush()
    },
  }
}

const LINES_MS = 10

/** Readers of containers' output take this much in one piece. */
const MAX_LENGTH = 16_384

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
