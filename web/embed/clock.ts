/** The clock of the service, whatever the clock of the device says. */

/** Milliseconds that the clock of the device is behind. Unknown before the first answer. */
let behind: number | undefined

/**
 * Sets the clock by a time that the service wrote: the `Date` of an answer, or a time in its body. A stored or
 * repeated answer names an earlier time, so that only a later one counts.
 */
export const learnTime = (written: string | null | undefined): void => {
  const time = Date.parse(written ?? '')
  if (Number.isNaN(time)) return
  behind = Math.max(behind ?? Number.NEGATIVE_INFINITY, time - Date.now())
}

/** The monotonic clock of a page stands still while the device sleeps, so that of the device counts. */
export const now = (): number => Date.now() + (behind ?? 0)
