import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE_MS = 30_000

/** @throws Error that names the condition after the time is over */
export const untilTrue = async (
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  everyMs = 20,
): Promise<void> => {
  for (const begun = performance.now(); performance.now() - begun < PATIENCE_MS; ) {
    if (await isTrue()) return
    await sleep(everyMs)
  }
  throw new Error(`waited ${PATIENCE_MS} ms in vain until ${what}`)
}
