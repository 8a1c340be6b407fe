import { CircuitOpen } from '../domain/breaker.ts'

/** A response of a check has a few bytes. */
export const MAX_ANSWER_BYTES = 16_384

/** Thrown for a response that a check must not give. Moderators see the message. */
export class InvalidResponse extends Error {}

/** The reason for moderators why a check failed. It does not contain the address of the check. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof InvalidResponse || error instanceof CircuitOpen) return error.message
  const isLate = error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name)
  return isLate ? 'it does not answer in time' : 'it cannot be reached'
}
