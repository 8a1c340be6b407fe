import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Refusal } from '../../domain/refusal.ts'
import { ConnectFault } from './fault-reasons.ts'

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof pg.DatabaseError && codes.includes(error.code ?? '')

/**
 * Whether a prepared statement is missing, or already there: a pooler has given the client another session of
 * Postgres, and does not prepare its statements there.
 */
export const isStatementLost = (error: unknown): boolean => hasCode(error, '26000', '42P05')

export const isDiskFull = (error: unknown): boolean => hasCode(error, '53100')

/** Whether the server accepts no writes, because another one has become the primary. */
export const isReadOnly = (error: unknown): boolean => hasCode(error, '25006')

/**
 * Whether the error is a deadlock, a serialisation failure, a lost statement or a demoted server. A second attempt
 * usually succeeds.
 */
const isRetryable = (error: unknown): boolean =>
  hasCode(error, '40P01', '40001') || isStatementLost(error) || isReadOnly(error)

const ATTEMPTS = 3
const JITTER_MS = 20

/** Runs a function that a retryable error rolls back, three times at most, and as long as a repetition makes sense. */
export const tryAgain = async <T>(
  run: () => Promise<T>,
  mayRepeat: () => boolean = () => true,
): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (!isRetryable(error) || attempt === ATTEMPTS || !mayRepeat()) throw error
      await sleep(Math.random() * JITTER_MS * attempt)
    }
  }
}

/** A commit without an answer, or with an error: the transaction may be committed or not. */
export class CommitFault extends Error {
  constructor(cause: unknown) {
    super('the commit failed', { cause })
  }
}

/** Whether a failed transaction may be committed. */
export const mayBeCommitted = (error: unknown): boolean =>
  error instanceof CommitFault || (error instanceof Refusal && error.cause instanceof CommitFault)

/** Whether a refusal comes from a wait for a lock that took too long. */
export const isLockTimeout = (error: unknown): boolean =>
  error instanceof Refusal &&
  error.cause instanceof pg.DatabaseError &&
  error.cause.code === '55P03'

/** SQLSTATE classes of a Postgres that is unreachable, full, shutting down or out of time. */
const UNAVAILABLE = /^(08|53|57P0|57014|55000|55P03|25P03|25006|58)/
/** SQLSTATEs that a caller's data can cause: characters and numbers that Postgres does not store. */
const BAD_DATA = new Set(['22021', '22P05', '22003', '22P02', '22001', '22008', '54000'])

/** Translates a failed query into a refusal. Refusals and unexpected errors stay unchanged. */
export const translateError = (error: unknown): unknown => {
  if (error instanceof Refusal) return error
  if (error instanceof CommitFault)
    return translateError(error.cause) instanceof Refusal ? unavailable(error) : error
  if (error instanceof ConnectFault) return unavailable(error)
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? ''
    if (BAD_DATA.has(code)) return new Refusal('invalid_request', {}, { cause: error })
    if (UNAVAILABLE.test(code) || isRetryable(error)) return unavailable(error)
    return error
  }
  return isConnectionFault(error) ? unavailable(error) : error
}

const unavailable = (cause: unknown) => new Refusal('unavailable', {}, { cause })

const CONNECTION_MESSAGES = [
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Connection terminated',
  'connection error and is not queryable',
  'Cannot use a pool after calling end',
  'Client was closed',
]

/** pg reports a lost or refused connection as a plain Error, some with a system code. */
const isConnectionFault = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  if (code && /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/.test(code)) return true
  return CONNECTION_MESSAGES.some((message) => error.message.includes(message))
}
