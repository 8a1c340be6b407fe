export type PeriodicJob = {
  /** Does it soon: now, or once more after what is under way. */
  readonly kick: () => void
  /** Ends it, and waits for what is under way. */
  readonly close: () => Promise<void>
}

/** Does something now and then, and whenever it is asked for; never twice at the same time. */
export const createPeriodicJob = (
  act: (signal: AbortSignal) => Promise<void>,
  { everyMs, onError }: { everyMs: number; onError: (error: unknown) => void },
): PeriodicJob => {
  const stop = new AbortController()
  let running: Promise<void> | undefined
  let isAskedAgain = false
  const work = async (): Promise<void> => {
    do {
      isAskedAgain = false
      await act(stop.signal).catch((error) => stop.signal.aborted || onError(error))
    } while (isAskedAgain && !stop.signal.aborted)
    running = undefined
  }
  const kick = (): void => {
    if (running) isAskedAgain = true
    else if (!stop.signal.aborted) running = work()
  }
  const timer = setInterval(kick, everyMs).unref()
  return {
    kick,
    close: async () => {
      stop.abort()
      clearInterval(timer)
      await running
    },
  }
}
