/** Runs an attempt for somebody; rejects without one while nobody should be asked. */
export type Breaker = <T>(who: string, attempt: () => Promise<T>) => Promise<T>

/** Why there was no attempt. */
export class CircuitOpen extends Error {}

const FAILURES = 5
const PAUSE_MS = 30_000

type Failing = { inARow: number; resumeAt: number }

/**
 * After so many failures in a row nobody asks for `pauseMs`; then one attempt tries, while the others
 * are still sent away, and its success ends the pause. Only those that fail take memory.
 */
export const createBreaker = ({ failures = FAILURES, pauseMs = PAUSE_MS } = {}): Breaker => {
  const failing = new Map<string, Failing>()
  return async (who, attempt) => {
    const before = failing.get(who)
    if (before && before.inARow >= failures) {
      if (performance.now() < before.resumeAt) throw new CircuitOpen('it has failed too often')
      before.resumeAt = performance.now() + pauseMs
    }
    try {
      const answer = await attempt()
      failing.delete(who)
      return answer
    } catch (error) {
      const inARow = (failing.get(who)?.inARow ?? 0) + 1
      failing.set(who, { inARow, resumeAt: performance.now() + pauseMs })
      throw error
    }
  }
}
