import { createBreaker } from '../domain/breaker.ts'
import { withDeadline } from '../domain/deadline.ts'

/** How long a read waits for Postgres before it serves the cached page. */
const PATIENCE_MS = 250
/** How long reads then serve cached pages without asking Postgres. */
const PAUSE_MS = 1_000

/** Loads a value; if that fails, takes too long or is paused, returns the cached one. */
export type StaleIfError = <T>(load: () => Promise<T>, cached: () => T) => Promise<T>

export const createStaleIfError = (): StaleIfError => {
  const breaker = createBreaker({ failures: 1, pauseMs: PAUSE_MS, now: () => performance.now() })
  const isLate = () => new Error('Postgres did not answer in time')
  return (load, cached) =>
    breaker('postgres', () => withDeadline(PATIENCE_MS, load(), isLate)).catch(cached)
}
