/** The clock of the service, whatever the clock of the device says. */

/** Milliseconds between the service's time and the monotonic clock of the page. Unknown before the first answer. */
let offset: number | undefined

/**
 * Sets the clock by a time that the service wrote: the `Date` of an answer, or a time in its body. A stored or
 * repeated answer names an earlier time, so that only a later one counts.
 */
export const learnTime = (written: string | null | undefined): void => {
  const time = Date.parse(written ?? '')
  if (Number.isNaN(time)) return
  offset = Math.max(offset ?? Number.NEGATIVE_INFINITY, time - performance.now())
}

export const now = (): number => (offset === undefined ? Date.now() : offset + performance.now())
