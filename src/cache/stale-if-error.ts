/** So long a reader waits for Postgres when something is remembered. */
const PATIENCE_MS = 250
/** After that Postgres is asked nothing more about what is remembered for so long. */
const PAUSE_MS = 1_000

/**
 * What is learned; or, when that fails or takes too long, what is remembered, and then at once
 * until a pause is over.
 */
export type StaleIfError = <T>(learn: () => Promise<T>, remembered: () => T) => Promise<T>

export const createStaleIfError = (): StaleIfError => {
  let pausedUntil = 0
  return async (learn, remembered) => {
    if (performance.now() < pausedUntil) return remembered()
    const giveUp = () => {
      pausedUntil = performance.now() + PAUSE_MS
      return remembered()
    }
    return orTimeout(PATIENCE_MS, learn().catch(giveUp), giveUp)
  }
}

/**
 * An answer that has arrived, but was not looked at because this process was busy or paused, is in
 * time: sockets are read once more before it is given up.
 */
export const orTimeout = <T>(ms: number, answer: Promise<T>, giveUp: () => T): Promise<T> =>
  new Promise((resolve, reject) => {
    let isThere = false
    const decide = () => {
      if (isThere) return
      try {
        resolve(giveUp())
      } catch (error) {
        reject(error)
      }
    }
    const timer = setTimeout(() => setImmediate(decide), ms)
    const settle = () => {
      isThere = true
      clearTimeout(timer)
    }
    answer.finally(settle).then(resolve, reject)
  })
