import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Counters, LocalCounters } from '../../domain/counters.ts'
import { Refusal } from '../../domain/refusal.ts'
import { PERSON_LIMITS, type PersonLimit, type Site } from '../../domain/site/site.ts'

/** Limits of the service per person and minute; 0 means no limit, also none of the site. */
export type Limits = { readonly read: number; readonly write: number }

/** The limit that counts a request; `none` does not count it. */
export type LimitKind = PersonLimit | 'read' | 'write' | 'none'

/** Reads are counted by this node alone; all other requests by `writes`, which nodes can share. */
export type LimitCounters = { readonly reads: LocalCounters; readonly writes: Counters }

/** One hit of a limit: for a known caller, or for all callers of a network. */
export type Counted = {
  readonly kind: LimitKind
  /** Contains no address and no personal data, because it can be stored in Redis. */
  readonly key: string
  readonly max: number
}

const WINDOW_MS = 60_000
/** An export reads everything of an author and adds to the audit log, so that few are allowed. */
const EXPORTS = 5

/** The number of requests of a kind that one person can send to a site in a minute; 0 means no limit. */
export const limitOf = (limits: Limits, site: Site | null, kind: LimitKind): number => {
  if (kind === 'none') return 0
  if (kind === 'read' || limits.write === 0) return limits[kind === 'read' ? 'read' : 'write']
  if (kind === 'write') return limits.write
  return site?.limits[kind] ?? (kind === 'export' ? Math.min(EXPORTS, limits.write) : limits.write)
}

/** Counts a request, sets the rate-limit headers and refuses too many requests with `rate_limited`. */
export type Count = (
  request: FastifyRequest,
  reply: FastifyReply,
  counted: Counted,
) => Promise<void>

/**
 * The library decides. Its stores are replaced, because they fail or stop limiting without Redis, and so are
 * its headers, because they do not have the syntax of two fields.
 */
export const addLimits = async (app: FastifyInstance, counters: LimitCounters): Promise<Count> => {
  await app.register(rateLimit, { global: false, store: createStore(counters) })
  const hits = new WeakMap<FastifyRequest, Counted>()
  const limiterOf = (kind: LimitKind) => {
    const options = {
      kind,
      timeWindow: WINDOW_MS,
      max: (request: FastifyRequest) => hits.get(request)!.max,
      keyGenerator: (request: FastifyRequest) => storedKey(hits.get(request)!),
    }
    return app.createRateLimit(options)
  }
  const kinds: readonly LimitKind[] = ['read', 'write', ...PERSON_LIMITS]
  const limiters = new Map(kinds.map((kind) => [kind, limiterOf(kind)]))

  return async (request, reply, counted) => {
    const { kind, max } = counted
    if (max === 0) return
    hits.set(request, counted)
    const result = await limiters.get(kind)!(request)
    if (result.isAllowed) return
    const { remaining, ttlInSeconds } = result
    reply.headers(limitHeaders(counted, remaining, ttlInSeconds))
    if (!result.isExceeded) return
    reply.header('retry-after', String(ttlInSeconds))
    throw new Refusal('rate_limited')
  }
}

const limitHeaders = ({ kind, max }: Counted, remaining: number, ttlInSeconds: number) => ({
  'ratelimit-policy': `"${kind}";q=${max};w=${WINDOW_MS / 1000}`,
  ratelimit: `"${kind}";r=${remaining};t=${ttlInSeconds}`,
})

const storedKey = ({ kind, key }: Counted): string => `${kind}:${key}`

type CountedRead = {
  readonly isExceeded: boolean
  readonly headers: Readonly<Record<string, string>>
}

/** Counts a read of a network without the library, for requests that do not pass through the framework. */
export const countRead = (
  { reads }: LimitCounters,
  { read: max }: Limits,
  network: string,
): CountedRead => {
  if (max === 0) return { isExceeded: false, headers: {} }
  const counted = { kind: 'read', key: network, max } as const
  const { current, ttlMs } = reads.hitNow(storedKey(counted), WINDOW_MS)
  const headers = limitHeaders(counted, max - current, Math.ceil(ttlMs / 1000))
  return { isExceeded: current > max, headers }
}

type Tries = { readonly key: string; readonly max: number; readonly windowMs: number }

/**
 * Runs an attempt that is `not_found` when a secret is wrong. After `max` wrong ones in a window every attempt is
 * `rate_limited`, a right one too. An attempt counts before it runs, so that parallel attempts get no further.
 */
export const allowWrongTries = async <T>(
  counters: Counters,
  { key, max, windowMs }: Tries,
  attempt: () => Promise<T>,
): Promise<T> => {
  const { current, ttlMs } = await counters.hit(key, windowMs)
  if (current > max)
    throw new Refusal('rate_limited', {}, { retryAfterSeconds: Math.ceil(ttlMs / 1000) })
  let isWrong = false
  try {
    return await attempt()
  } catch (error) {
    isWrong = error instanceof Refusal && error.code === 'not_found'
    throw error
  } finally {
    if (!isWrong) await counters.hit(key, windowMs, -1)
  }
}

type Hit = (error: Error | null, result?: { current: number; ttl: number }) => void

/** A class, because the library constructs its store with `new`; it makes one child per limiter. */
const createStore = (counters: LimitCounters) =>
  class Store {
    readonly counters: Counters

    constructor(options: { kind?: LimitKind }) {
      this.counters = options.kind === 'read' ? counters.reads : counters.writes
    }

    incr(key: string, done: Hit, windowMs: number): void {
      this.counters.hit(key, windowMs).then(
        ({ current, ttlMs }) => done(null, { current, ttl: ttlMs }),
        (error) => done(error),
      )
    }

    child(options: { kind?: LimitKind }): Store {
      return new Store(options)
    }
  } as never
