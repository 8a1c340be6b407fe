import { withQuery } from './addresses.ts'
import { learnTime } from './clock.ts'

/** An error of the service with its code, or `network` if no answer came. */
export class Refused extends Error {
  readonly code: string
  readonly status: number
  readonly retryAfterSeconds: number | undefined
  /** The names of the faulty fields. */
  readonly fields: readonly string[]

  constructor(code: string, status = 0, retryAfter: string | null = null, fields: string[] = []) {
    super(code)
    this.code = code
    this.status = status
    this.retryAfterSeconds = retryAfter === null ? undefined : Number(retryAfter) || 1
    this.fields = fields
  }
}

export type Request = {
  readonly method?: string
  readonly address: string
  readonly query?: Readonly<Record<string, string | number | null | undefined>>
  readonly body?: object
  readonly token?: string | undefined
  /** The Idempotency-Key: the same for every attempt at one intent. */
  readonly key?: string
  readonly ifMatch?: number
  readonly signal?: AbortSignal
}

export type Answer<T> = {
  readonly status: number
  readonly body: T
  /** The first version of the thread that shows a write; 0 if readers see no change. */
  readonly version: number
  /** Whether the service ignored the guest token of the request, because the token is stale. */
  readonly isGuestStale?: boolean
}

export type Call = <T>(request: Request) => Promise<Answer<T>>

/** Sends a request and parses the answer; throws `Refused`. A read without a token needs no preflight. */
export const createCall =
  (ask: typeof fetch): Call =>
  async <T>(request: Request): Promise<Answer<T>> => {
    const { method = 'GET', address, query = {}, body, token, key, ifMatch, signal } = request
    const headers: Record<string, string> = {}
    if (body) headers['content-type'] = 'application/json'
    if (token) headers.authorization = `Bearer ${token}`
    if (key) headers['idempotency-key'] = key
    if (ifMatch !== undefined) headers['if-match'] = `"${ifMatch}"`
    const options: RequestInit = { method, headers }
    if (body) options.body = JSON.stringify(body)
    if (signal) options.signal = signal
    const response = await ask(withQuery(address, query), options).catch((error) => {
      throw signal?.aborted ? error : new Refused('network')
    })
    return readAnswer<T>(response)
  }

export const readAnswer = async <T>(response: Response): Promise<Answer<T>> => {
  const { status, headers } = response
  learnTime(headers.get('date'))
  const body = status === 204 ? null : await response.json().catch(() => null)
  const version = Number(headers.get('thread-version') ?? 0)
  const isGuestStale = headers.get('guest-token') === 'stale'
  if (response.ok) return { status, body, version, isGuestStale }
  const errors: { pointer?: string; parameter?: string }[] = body?.errors ?? []
  throw new Refused(
    body?.code ?? (status >= 500 ? 'unavailable' : 'unknown'),
    status,
    headers.get('retry-after'),
    errors.map(({ pointer = '', parameter }) => parameter ?? pointer.replace(/^.*\//, '')),
  )
}

const MAX_ATTEMPTS = 3
/** A reader who waits longer wants to know why. */
const MAX_WAIT_SECONDS = 10
const PASSING = ['network', 'unavailable', 'rate_limited', 'site_busy', 'idempotency_in_flight']

/** Whether the same request can succeed a moment later. */
export const isPassing = (error: unknown): error is Refused =>
  error instanceof Refused && PASSING.includes(error.code)

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms))

/** Asks up to three times while the service is away; the pauses differ between readers. */
export const persist = async <T>(attempt: () => Promise<T>): Promise<T> => {
  for (let made = 1; ; made++) {
    try {
      return await attempt()
    } catch (error) {
      const isWorth = isPassing(error) && made < MAX_ATTEMPTS
      const seconds = isWorth ? (error.retryAfterSeconds ?? made) : 0
      if (!isWorth || seconds > MAX_WAIT_SECONDS) throw error
      await pause(seconds * 1000 * (0.5 + Math.random()))
    }
  }
}
