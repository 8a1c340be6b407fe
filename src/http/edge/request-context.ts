import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Caller } from '../../domain/people/caller.ts'
import type { RefusalCode } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Context } from '../../usecases/context.ts'
import type { WireKeys } from '../wire/keys.ts'
import type { LimitKind, Limits } from './limits.ts'

/** What the routes are given. */
export type Http = {
  readonly context: Context
  /** Refuses with `unavailable` until the service has found its secret. */
  readonly keys: () => WireKeys
  readonly limits: Limits
  /** Of the program: pages that another one made may look otherwise. */
  readonly version: string
}

declare module 'fastify' {
  interface FastifyContextConfig {
    operation?: string
    limit?: LimitKind
    /** The codes of all errors that the operation returns. */
    errors?: readonly RefusalCode[]
    /** Its body is needed byte for byte. */
    isSigned?: boolean
  }
  interface FastifyRequest {
    /** The site of the address; routes without a site do not ask for it. */
    site: Site
    caller: Caller
    /** The part of the sender's address that limits go by: an IPv4 address, or an IPv6 /64. */
    network: string
    /** The body as it came, where that is signed. */
    bytes: Buffer
  }
}

export const NOBODY: Caller = { kind: 'nobody' }

/** Decorates requests with the facts that the hooks find out. */
export const addContext = (app: FastifyInstance): void => {
  app.decorateRequest('site', null as never)
  app.decorateRequest('caller', null as never)
  app.decorateRequest('network', '')
  app.decorateRequest('bytes', null as never)
}

export const isWrite = (request: FastifyRequest): boolean =>
  !['GET', 'HEAD', 'OPTIONS'].includes(request.method)

/** Whether the route is about one site. A preflight is about the one that its address names. */
export const isOfSite = ({ params }: FastifyRequest): boolean =>
  'site' in (params as object) || '*' in (params as object)

const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/

/** The site that the address names. A preflight matches no route of its own, only `*`. */
export const siteSlug = (request: FastifyRequest): string | undefined => {
  const { site, '*': rest = '' } = request.params as { site?: string; '*'?: string }
  const slug = site ?? /^\/?sites\/([^/]+)/.exec(rest)?.[1] ?? ''
  return SLUG.test(slug) ? slug : undefined
}
