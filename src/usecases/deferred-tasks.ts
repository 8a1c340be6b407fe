/** What is done without anybody who waits for it. */
export type DeferredTasks = {
  /** Begins it now. What fails, or is too much at once, is left to the jobs. */
  readonly add: (act: () => Promise<unknown>) => void
  /** Ends when all of it has. */
  readonly settled: () => Promise<void>
}

/** Beyond this it is left to the jobs, which do some at a time. */
const MAX_DEFERRED = 200

export const createDeferredTasks = (
  warn: (fields: Readonly<Record<string, unknown>>, message: string) => void,
): DeferredTasks => {
  const underWay = new Set<Promise<void>>()
  return {
    add: (act) => {
      if (underWay.size >= MAX_DEFERRED) return
      const doing = act()
        .catch((error) => warn({ err: error }, 'what was left for later has failed'))
        .then(() => void underWay.delete(doing))
      underWay.add(doing)
    },
    settled: async () => {
      while (underWay.size > 0) await Promise.all(underWay)
    },
  }
}
