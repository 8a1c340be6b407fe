import { createGuardedRequest, type GuardOptions } from './guarded-request.ts'

/**
 * Fetches a text from an address that somebody else has chosen: one answer of 200, at most 256 KiB
 * within 2.5 s. Rejects with why it cannot be had.
 */
export type GuardedGet = (url: string) => Promise<string>

/** Whoever waits for the text has its own answer after 3 s. */
const TIMEOUT_MS = 2_500
const MAX_BYTES = 262_144

export const createGuardedGet = (options: GuardOptions): GuardedGet => {
  const request = createGuardedRequest(options)
  return async (url) => {
    const headers = { accept: 'application/json' }
    const answer = await request({ url, headers, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES })
    if (answer.status !== 200) throw new Error(`the answer is ${answer.status}, not 200`)
    return answer.text
  }
}
