import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import { isAllowedOrigin, type Site } from '../../domain/site/site.ts'
import { findSite } from '../../usecases/people/find-caller.ts'
import { type Http, isWrite, siteSlug } from './request-context.ts'

/** Chromium keeps a preflight no longer. */
const PREFLIGHT_SECONDS = 7_200

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const ALLOWED = 'authorization, content-type, if-match, if-none-match, idempotency-key'
export const EXPOSED =
  'etag, link, location, ratelimit, ratelimit-policy, retry-after, thread-version'

/** Allows cross-origin requests from the exact origins of the site, never with cookies. */
export const addOrigins = async (app: FastifyInstance, { context }: Http): Promise<void> => {
  await app.register(cors, {
    delegator: (request: FastifyRequest, done: (error: Error | null, options: object) => void) => {
      // Most requests come from the same origin or from programs, and need no look-up of the site.
      if (request.headers.origin === undefined) return done(null, SAME_ORIGIN_ONLY)
      isSharedOrigin(context, request).then(
        (origin) => done(null, { ...CORS_OPTIONS, origin }),
        (error) => done(error, SAME_ORIGIN_ONLY),
      )
    },
  })
}

const CORS_OPTIONS = {
  methods: METHODS,
  allowedHeaders: ALLOWED,
  exposedHeaders: EXPOSED,
  maxAge: PREFLIGHT_SECONDS,
  strictPreflight: false,
}
const SAME_ORIGIN_ONLY = { ...CORS_OPTIONS, origin: false }

/** The headers that the library adds to the response of a read, for requests that do not pass through it. */
export const originHeaders = (site: Site, origin: string | undefined): Record<string, string> =>
  origin !== undefined && isAllowedOrigin(site, origin)
    ? { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED }
    : {}

const isSharedOrigin = async (
  context: Http['context'],
  request: FastifyRequest,
): Promise<boolean> => {
  const { origin } = request.headers
  const slug = siteSlug(request)
  if (origin === undefined || slug === undefined) return false
  const site = await findSite(context, slug, 'recent')
  return site !== undefined && isAllowedOrigin(site, origin)
}

/** Refuses a write from another origin. Browsers send the origin with every write, programs do not. */
export const assertOrigin = (request: FastifyRequest): void => {
  const { origin } = request.headers
  if (origin !== undefined && isWrite(request) && !isAllowedOrigin(request.site, origin)) {
    throw new Refusal('origin_refused')
  }
}
