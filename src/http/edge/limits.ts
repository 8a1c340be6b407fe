import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Counters } from '../../domain/counters.ts'
import { Refusal } from '../../domain/refusal.ts'
import { PERSON_LIMITS, type PersonLimit, type Site } from '../../domain/site/site.ts'

/** Per person and minute, as the service says; 0 is no limit, of the site's own either. */
export type Limits = { readonly read: number; readonly write: number }

/** What a request counts against; `none` is not limited. */
export type LimitKind = PersonLimit | 'read' | 'write' | 'none'

/** Reads are counted in this node; all else wherever `writes` counts, which nodes may share. */
export type LimitCounters = { readonly reads: Counters; readonly writes: Counters }

/** Whom a request counts for: someone who is known, or everybody of a network. */
export type Counted = {
  readonly kind: LimitKind
  /** Tells nothing of an address or a person: it may go to Redis. */
  readonly key: string
  readonly max: number
}

const WINDOW_MS = 60_000

/** How much of something one person may do in a minute on a site; 0: as much as it likes. */
export const limitOf = (limits: Limits, site: Site | null, kind: LimitKind): number => {
  if (kind === 'none') return 0
  if (kind === 'read' || limits.write === 0) return limits[kind === 'read' ? 'read' : 'write']
  return kind === 'write' ? limits.write : (site?.limits[kind] ?? limits.write)
}

/** Counts, says how much is left, and refuses with `rate_limited` what is too much. */
export type Count = (
  request: FastifyRequest,
  reply: FastifyReply,
  counted: Counted,
) => Promise<void>

/**
 * The library decides; its own stores and headers are replaced, because they fail or stop limiting
 * without Redis, and are not in the two-field syntax.
 */
export const addLimits = async (app: FastifyInstance, counters: LimitCounters): Promise<Count> => {
  await app.register(rateLimit, { global: false, store: createStore(counters) })
  const asked = new WeakMap<FastifyRequest, Counted>()
  const limiterOf = (kind: LimitKind) => {
    const options = {
      kind,
      timeWindow: WINDOW_MS,
      max: (request: FastifyRequest) => asked.get(request)!.max,
      keyGenerator: (request: FastifyRequest) => `${kind}:${asked.get(request)!.key}`,
    }
    return app.createRateLimit(options)
  }
  const kinds: readonly LimitKind[] = ['read', 'write', ...PERSON_LIMITS]
  const limiters = new Map(kinds.map((kind) => [kind, limiterOf(kind)]))

  return async (request, reply, counted) => {
    const { kind, max } = counted
    if (max === 0) return
    asked.set(request, counted)
    const result = await limiters.get(kind)!(request)
    if (result.isAllowed) return
    const { remaining, ttlInSeconds } = result
    reply.header('ratelimit-policy', `"${kind}";q=${max};w=${WINDOW_MS / 1000}`)
    reply.header('ratelimit', `"${kind}";r=${remaining};t=${ttlInSeconds}`)
    if (!result.isExceeded) return
    reply.header('retry-after', String(ttlInSeconds))
    throw new Refusal('rate_limited')
  }
}

type Hit = (error: Error | null, result?: { current: number; ttl: number }) => void

/** The library makes its store with `new`, and one child per limiter. */
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
