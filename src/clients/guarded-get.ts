import { createGuardedRequest, type GuardOptions } from './guarded-request.ts'

/**
 * Fetches a text from an address that a site has chosen: a response of 200 with at most 256 KiB within
 * 2.5 s. Rejects with the reason otherwise.
 */
export type GuardedGet = (url: string) => Promise<string>

/** The request that waits for the text has a response within 3 s. */
const TIMEOUT_MS = 2_500
const MAX_BYTES = 262_144

export const createGuardedGet = (options: GuardOptions): GuardedGet => {
  const request = createGuardedRequest(options)
  return async (url) => {
    const headers = { accept: 'application/json' }
    const response = await request({ url, headers, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES })
    if (response.status !== 200) throw new Error(`the answer is ${response.status}, not 200`)
    return response.text
  }
}
