import { CircuitOpen } from '../domain/breaker.ts'

/** A verdict is a few bytes. */
export const MAX_ANSWER_BYTES = 16_384

/** It has answered, and not as it should. The message is for moderators, and ours alone. */
export class InvalidResponse extends Error {}

/** Why a check said nothing, in our own words: moderators need not know where it is. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof InvalidResponse || error instanceof CircuitOpen) return error.message
  const isLate = error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name)
  return isLate ? 'it does not answer in time' : 'it cannot be reached'
}
