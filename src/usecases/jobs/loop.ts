export type Loop = {
  /** Acts soon: now, or once more after the run in progress. */
  readonly kick: () => void
  /** Stops the loop, and waits for the run in progress. */
  readonly close: () => Promise<void>
}

type Options = {
  /** Missing: the loop acts only when it is kicked. */
  readonly everyMs?: number
  readonly onError: (error: unknown) => void
}

/** Acts when it is kicked and every so often, but never twice at the same time. */
export const createLoop = (
  act: (signal: AbortSignal) => Promise<void>,
  { everyMs, onError }: Options,
): Loop => {
  const stop = new AbortController()
  let running: Promise<void> | undefined
  let isKickedAgain = false
  const work = async (): Promise<void> => {
    do {
      isKickedAgain = false
      await act(stop.signal).catch((error) => stop.signal.aborted || onError(error))
    } while (isKickedAgain && !stop.signal.aborted)
    running = undefined
  }
  const kick = (): void => {
    if (running) isKickedAgain = true
    else if (!stop.signal.aborted) running = work()
  }
  const timer = everyMs === undefined ? undefined : setInterval(kick, everyMs).unref()
  return {
    kick,
    close: async () => {
      stop.abort()
      clearInterval(timer)
      await running
    },
  }
}
