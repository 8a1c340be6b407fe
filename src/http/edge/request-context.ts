import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ReadPage } from '../../domain/page-store.ts'
import type { Caller } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import type { RefusalCode } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Context } from '../../usecases/context.ts'
import type { WireKeys } from '../wire/keys.ts'
import type { LimitKind, Limits } from './limits.ts'

/** Dependencies of the routes. */
export type Http = {
  readonly context: Context
  /** Refuses with `unavailable` until the service has its secret. */
  readonly keys: () => WireKeys
  readonly limits: Limits
  /** The setting `AFTERWORD_PUBLIC_URL` without a slash at its end; empty if unset. */
  readonly publicUrl: string
  /** Version of the program. Another version can build other pages from the same rows. */
  readonly version: string
}

declare module 'fastify' {
  interface FastifyContextConfig {
    operation?: string
    limit?: LimitKind
    /** The codes of all errors that the operation returns. */
    errors?: readonly RefusalCode[]
    /** True if the body is a file, which is read as it arrives. */
    isUpload?: boolean
    /** True if the handler verifies a signature over the bytes of the body. */
    isSigned?: boolean
    /** True if the body is an HTML form: the handler judges its origin, and no credential counts. */
    isForm?: boolean
    /** True if anyone may call the operation, and it changes nothing. */
    isPublicRead?: boolean
    /** True if the operation is closed to guests where only members read. */
    isReading?: boolean
  }
  interface FastifyRequest {
    /** The site in the path; not set on routes without a site. */
    site: Site
    /** The public ids of the site, or of the whole service. */
    ids: PublicIds
    caller: Caller
    /** The sender's address; `ip` is the one of the nearest proxy. Null if a trusted proxy does not name it. */
    address: string | null
    /** The network that limits count: the sender's IPv4 address or IPv6 /64. */
    network: string
    /** Reads the page of a public read again. */
    read: ReadPage | null
    /** The bytes of the body, on routes with `isSigned`. */
    bytes: Buffer
  }
}

export const NOBODY: Caller = { kind: 'nobody' }

/** Declares the properties of a request that the hooks set. */
export const addContext = (app: FastifyInstance): void => {
  app.decorateRequest('site', null as never)
  app.decorateRequest('ids', null as never)
  app.decorateRequest('caller', null as never)
  app.decorateRequest('address', null)
  app.decorateRequest('network', '')
  app.decorateRequest('read', null)
  app.decorateRequest('bytes', null as never)
}

export const isWrite = (request: FastifyRequest): boolean =>
  !['GET', 'HEAD', 'OPTIONS'].includes(request.method)

/** True if the path contains a site. A preflight has the path of the request that it announces. */
export const isOfSite = ({ params }: FastifyRequest): boolean =>
  'site' in (params as object) || '*' in (params as object)

const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/

/** Reads the slug of the site from the path. A preflight has no route of its own, only `*`. */
export const siteSlug = (request: FastifyRequest): string | undefined => {
  const { site, '*': rest = '' } = request.params as { site?: string; '*'?: string }
  const slug = site ?? /^\/?sites\/([^/]+)/.exec(rest)?.[1] ?? ''
  return SLUG.test(slug) ? slug : undefined
}
