/** Work that this node does after the response, without a stored record. */
export type DeferredTasks = {
  /** Starts a task immediately. A task that fails or exceeds `MAX_DEFERRED` is left to the jobs. */
  readonly add: (task: () => Promise<unknown>) => void
  /** Resolves when no task is running. */
  readonly settled: () => Promise<void>
}

/** How many tasks run together. */
const MAX_DEFERRED = 200

export const createDeferredTasks = (
  warn: (fields: Readonly<Record<string, unknown>>, message: string) => void,
): DeferredTasks => {
  const running = new Set<Promise<void>>()
  return {
    add: (task) => {
      if (running.size >= MAX_DEFERRED) return
      const run = task()
        .catch((error) => warn({ err: error }, 'deferred task failed'))
        .then(() => void running.delete(run))
      running.add(run)
    },
    settled: async () => {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
