/** Runs an attempt for a target; rejects with `CircuitOpen` without running it during a pause. */
export type Breaker = <T>(target: string, attempt: () => Promise<T>) => Promise<T>

export class CircuitOpen extends Error {}

export type BreakerOptions = {
  /** How many failures in a row begin a pause. */
  readonly failures: number
  readonly pauseMs: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /**
   * The meaning of an error for the target: `answered` that it works and refused this attempt, `unknown`
   * nothing. By default every error is a failure.
   */
  readonly judge?: (error: unknown) => 'failed' | 'answered' | 'unknown'
}

/** The failures of one target. A target without failures takes no memory. */
type Circuit = { failures: number; resumeAt: number }

/**
 * After `failures` failures in a row of a target, its attempts are refused for `pauseMs`. Then one attempt
 * is a probe while the others are still refused; if the target answers, the pause ends. The success of an
 * attempt that began before the pause does not end it.
 */
export const createBreaker = ({
  failures,
  pauseMs,
  now,
  judge = () => 'failed',
}: BreakerOptions): Breaker => {
  const circuits = new Map<string, Circuit>()

  /** True if the attempt is a probe. */
  const begin = (target: string): boolean => {
    const circuit = circuits.get(target)
    if (!circuit || circuit.failures < failures) return false
    if (now() < circuit.resumeAt) throw new CircuitOpen('it has failed too often')
    circuit.resumeAt = now() + pauseMs
    return true
  }

  const close = (target: string, isProbe: boolean): void => {
    const circuit = circuits.get(target)
    if (circuit && (isProbe || circuit.failures < failures)) circuits.delete(target)
  }

  const noteError = (target: string, isProbe: boolean, error: unknown): void => {
    const verdict = judge(error)
    const circuit = circuits.get(target) ?? { failures: 0, resumeAt: 0 }
    if (verdict === 'answered') close(target, isProbe)
    else if (verdict === 'failed')
      circuits.set(target, {
        failures: circuit.failures + 1,
        resumeAt: now() + pauseMs,
      })
    // The probe told nothing, so the next attempt is another one.
    else if (isProbe) circuit.resumeAt = 0
  }

  return async (target, attempt) => {
    const isProbe = begin(target)
    try {
      const result = await attempt()
      close(target, isProbe)
      return result
    } catch (error) {
      noteError(target, isProbe, error)
      throw error
    }
  }
}
