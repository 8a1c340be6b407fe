import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../../domain/caller.ts'
import type { Counters } from '../../domain/counters.ts'
import { Refusal } from '../../domain/refusal.ts'
import { hashAddress } from './addresses.ts'
import type { Http, LimitKind } from './context.ts'

/** Per network and minute; 0 is no limit. */
export type Limits = { readonly read: number; readonly write: number }

/** Reads are counted in this node; writes wherever `writes` counts, which nodes may share. */
export type LimitCounters = { readonly reads: Counters; readonly writes: Counters }

const WINDOW_MS = 60_000
/** Callers with a key are known: they have this many times the quota, each key its own. */
const KEY_FACTOR = 100

type Assert = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/**
 * Counts each request once, says how much is left, and refuses with `rate_limited` what is too
 * much. The library decides; its own stores and headers are replaced, because they fail or stop
 * limiting without Redis, and are not in the two-field syntax.
 */
export const addLimits = async (
  app: FastifyInstance,
  http: Http,
  { limits, counters }: { limits: Limits; counters: LimitCounters },
): Promise<Assert> => {
  await app.register(rateLimit, { global: false, store: createStore(counters) })
  const keys = new WeakMap<FastifyRequest, { key: string; max: number }>()
  const limiterOf = (kind: Exclude<LimitKind, 'none'>) => {
    const options = {
      kind,
      timeWindow: WINDOW_MS,
      max: (request: FastifyRequest) => keys.get(request)!.max,
      keyGenerator: (request: FastifyRequest) => `${kind}:${keys.get(request)!.key}`,
    }
    return app.createRateLimit(options)
  }
  const limiters = {
    read: limiterOf('read'),
    write: limiterOf('write'),
    preview: limiterOf('preview'),
  }

  return async (request, reply) => {
    // Null before it is known, and when the credential is not good: the network counts then.
    const caller: Caller | null = request.caller
    const kind = request.routeOptions.config.limit ?? 'read'
    const quota = kind === 'none' ? 0 : limits[kind === 'read' ? 'read' : 'write']
    if (kind === 'none' || quota === 0) return
    const isKey = caller?.kind === 'key'
    const max = isKey ? quota * KEY_FACTOR : quota
    const key = isKey ? `key:${caller.keyId}` : networkKey(request, kind, http)
    keys.set(request, { key, max })
    const result = await limiters[kind](request)
    if (result.isAllowed) return
    const { remaining, ttlInSeconds } = result
    reply.header('ratelimit-policy', `"${kind}";q=${max};w=${WINDOW_MS / 1000}`)
    reply.header('ratelimit', `"${kind}";r=${remaining};t=${ttlInSeconds}`)
    if (!result.isExceeded) return
    reply.header('retry-after', String(ttlInSeconds))
    throw new Refusal('rate_limited')
  }
}

/** Reads are counted in this process only; what may go to Redis does not tell the address. */
const networkKey = ({ network, ip }: FastifyRequest, kind: LimitKind, { keys }: Http): string =>
  kind === 'read' ? network : hashAddress(keys().addresses, ip).toString('base64url')

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
