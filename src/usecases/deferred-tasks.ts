/** What is done without anybody who waits for it. */
export type Later = {
  /** Begins it now. What fails, or is too much at once, is left to the chores. */
  readonly add: (act: () => Promise<unknown>) => void
  /** Ends when all of it has. */
  readonly settled: () => Promise<void>
}

/** Beyond this it is left to the chores, which do some at a time. */
const MAX_AT_ONCE = 200

export const createLater = (
  warn: (fields: Readonly<Record<string, unknown>>, message: string) => void,
): Later => {
  const underWay = new Set<Promise<void>>()
  return {
    add: (act) => {
      if (underWay.size >= MAX_AT_ONCE) return
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
