import type { components } from './wire.d.ts'

type Wire = components['schemas']
type Token = string | null

export type SendOptions = {
  /** An API key or the token of a member or guest, or a function that returns it; null if no one is signed in. */
  readonly token?: string | (() => Token | Promise<Token>)
  readonly fetch?: typeof fetch
  readonly maxAttempts?: number
  /** The longest time of one attempt. */
  readonly timeoutMs?: number
}

/** An error of the service. The code is `network` without a response, and `unknown` if a proxy wrote the response. */
export class AfterwordError extends Error {
  override readonly name = 'AfterwordError'
  readonly code: Wire['ErrorCode'] | 'network' | 'unknown'
  /** 0 without a response. */
  readonly status: number
  /** The fields at fault. */
  readonly errors: NonNullable<Wire['Problem']['errors']>
  readonly retryAfterSeconds: number
  /** The key of the failed write. A later call with this key is the same intent. */
  readonly idempotencyKey: string | null

  constructor(request: Request, response?: Response, problem: Partial<Wire['Problem']> = {}) {
    const code = problem.code ?? (response ? 'unknown' : 'network')
    super(`${code}: ${problem.title ?? 'The service did not respond.'}`)
    this.code = code
    this.status = response?.status ?? 0
    this.errors = problem.errors ?? []
    this.retryAfterSeconds = Number(response?.headers.get('retry-after')) || 0
    this.idempotencyKey = request.headers.get(KEY)
  }
}

const KEY = 'idempotency-key'
/** A service that asks for a longer pause is not asked again: the caller decides. */
const MAX_PAUSE_MS = 30_000
const FIRST_PAUSE_MS = 250
const PASSING_CODES = [
  'network',
  'unavailable',
  'rate_limited',
  'site_busy',
  'idempotency_in_flight',
]
const PASSING_STATUSES = [502, 503, 504]

/** Sends a request until it has a response that time does not change, and throws `AfterwordError`. */
export const createSend = (options: SendOptions): ((request: Request) => Promise<Response>) => {
  const { fetch: ask = fetch, maxAttempts = 4, timeoutMs = 30_000 } = options
  const { findToken, forgetToken } = createTokens(options.token)

  const attempt = async (request: Request, token: Token): Promise<Response> => {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)])
    const sent = new Request(request.clone(), { signal })
    if (token !== null) sent.headers.set('authorization', `Bearer ${token}`)
    try {
      const response = await ask(sent)
      const body = await response.text()
      if (response.headers.get('guest-token') === 'stale') forgetToken(token)
      if (response.ok) return new Response(body || null, response)
      throw new AfterwordError(request, response, toProblem(body))
    } catch (error) {
      request.signal.throwIfAborted()
      throw error instanceof AfterwordError ? error : new AfterwordError(request)
    }
  }

  return async (request) => {
    const isKeyed = request.method === 'GET' || request.headers.has(KEY)
    if (!isKeyed) request.headers.set(KEY, createKey())
    let token = await findToken()
    let isRenewed = false
    for (let made = 1; ; made++) {
      try {
        return await attempt(request, token)
      } catch (error) {
        if (!(error instanceof AfterwordError)) throw error
        const renewed: Token =
          error.code === 'invalid_token' && !isRenewed ? await findToken(token) : null
        // After a sign-out, the write of a member must not become the write of an anonymous reader.
        isRenewed = renewed !== null && renewed !== token
        if (isRenewed) token = renewed
        else await pause(error, made, maxAttempts, request)
      }
    }
  }
}

const toProblem = (body: string): Partial<Wire['Problem']> => {
  try {
    return JSON.parse(body)
  } catch {
    return {}
  }
}

/** Waits as long as the service asks, and a random time more; throws the error if a retry has no use. */
const pause = async (
  error: AfterwordError,
  made: number,
  maxAttempts: number,
  { signal }: Request,
): Promise<void> => {
  const askedMs = error.retryAfterSeconds * 1000
  const isPassing = PASSING_CODES.includes(error.code) || PASSING_STATUSES.includes(error.status)
  if (!isPassing || made >= maxAttempts || askedMs > MAX_PAUSE_MS) throw error
  const ms = askedMs + FIRST_PAUSE_MS * 2 ** (made - 1) * (0.5 + Math.random())
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    const end = () => resolve(clearTimeout(timer))
    signal.addEventListener('abort', end, { once: true })
  })
  signal.throwIfAborted()
}

/** Asks for a token if none is known, or if the service refused the known one. Requests share one call. */
const createTokens = (source: SendOptions['token'] = () => null) => {
  if (typeof source === 'string') return { findToken: async () => source, forgetToken: () => {} }
  let known: Token = null
  let asked: Promise<Token> | undefined
  const findToken = async (refused: Token = null): Promise<Token> => {
    if (known !== refused) return known
    asked ??= Promise.resolve().then(source)
    known = await asked.finally(() => {
      asked = undefined
    })
    return known
  }
  /** Makes the next request ask for a token, because a read does not fail if its guest token is stale. */
  const forgetToken = (stale: Token): void => {
    if (known === stale) known = null
  }
  return { findToken, forgetToken }
}

/** `crypto.randomUUID` is absent in pages without HTTPS. */
const createKey = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-')
