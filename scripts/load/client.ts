import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT_MS = 30_000
/** The attempts together wait about 15 s for an unavailable service. */
const MAX_ATTEMPTS = 10
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
const LONGEST_RETRY_AFTER_MS = 120_000

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: any }
export type Client = {
  readonly get: (path: string) => Promise<Answer>
  readonly post: (path: string, body: object, idempotencyKey: string) => Promise<Answer>
}

/** An error response of the service. The message has its code and never the API key. */
export class Refused extends Error {}
/** The service stayed unavailable. The script stops and can run again later. */
export class Away extends Error {}

/**
 * A client for one site. `path` starts below `/v1/sites/{site}`, or is a whole path from a `Link` header.
 * The client waits as `Retry-After` says. It repeats a request with growing pauses while the service is
 * unavailable or still works on the same Idempotency-Key.
 * @throws Refused for any other status from 400 on, Away if the service stays unavailable
 */
export const createClient = (url: string, site: string, key: string): Client => {
  const base = `/v1/sites/${site}`
  const send = async (path: string, init: Init): Promise<Answer> => {
    const target = new URL(path.startsWith(`${base}/`) ? path : `${base}${path}`, url)
    for (let attempt = 1; ; attempt++) {
      const tried = await tryOnce(target, init, key)
      if ('headers' in tried && tried.status < 400) return tried
      const pauseMs = pauseAfter(tried, attempt)
      if (pauseMs === undefined || attempt === MAX_ATTEMPTS) throw toError(tried, target)
      await sleep(pauseMs)
    }
  }
  return {
    get: (path) => send(path, {}),
    post: (path, body, idempotencyKey) =>
      send(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      }),
  }
}

type Failure = { readonly reason: string }

type Init = { method?: string; body?: string; headers?: Record<string, string> }

const tryOnce = async (target: URL, init: Init, key: string): Promise<Answer | Failure> => {
  try {
    const answer = await fetch(target, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${key}` },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await answer.text()
    const isJson = /json/.test(answer.headers.get('content-type') ?? '')
    return {
      status: answer.status,
      headers: answer.headers,
      body: isJson ? JSON.parse(text) : undefined,
    }
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } }
    return { reason: cause?.code ?? message }
  }
}

/** Undefined if another attempt would not help. */
const pauseAfter = (tried: Answer | Failure, attempt: number): number | undefined => {
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS)
  const jittered = pauseMs * (0.5 + Math.random() / 2)
  if (!('headers' in tried)) return jittered
  const { status, headers, body } = tried
  if (status === 429) return Math.max(retryAfterMs(headers), jittered)
  const isPassing = [502, 503, 504].includes(status) || body?.code === 'idempotency_in_flight'
  return isPassing ? Math.max(retryAfterMs(headers), jittered) : undefined
}

const retryAfterMs = (headers: Headers): number => {
  const seconds = Number(headers.get('retry-after') ?? 0)
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, LONGEST_RETRY_AFTER_MS) : 0
}

const toError = (tried: Answer | Failure, { pathname }: URL): Error => {
  if (!('headers' in tried)) return new Away(`The service does not answer: ${tried.reason}`)
  const { status, body } = tried
  const faults = body?.errors ? ` ${JSON.stringify(body.errors)}` : ''
  const text = `${status} ${body?.code ?? ''} for ${pathname}${faults}`
  return status === 429 || status >= 500 ? new Away(text) : new Refused(text)
}
