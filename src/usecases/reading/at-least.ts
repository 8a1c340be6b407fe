import { Refusal } from '../../domain/refusal.ts'

/**
 * The version was just read from the primary, so nothing is newer: a greater one was never given
 * out for this thread.
 */
export const assertAtLeast = (thread: { version: number }, atLeast: number): void => {
  if (thread.version < atLeast) {
    throw new Refusal('invalid_request', { at_least: 'is not a version of this thread' })
  }
}
