import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import { isAllowedOrigin } from '../../domain/site/site.ts'
import { findSite } from '../../usecases/people/find-caller.ts'
import { type Http, isWrite, siteSlug } from './request-context.ts'

const PREFLIGHT_SECONDS = 600

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const ALLOWED = 'authorization, content-type, if-match, if-none-match, idempotency-key'
const EXPOSED = 'etag, link, location, ratelimit, ratelimit-policy, retry-after, thread-version'

/** Cross-origin sharing for the exact origins of the site that is addressed; never with cookies. */
export const addOrigins = async (app: FastifyInstance, { context }: Http): Promise<void> => {
  await app.register(cors, {
    delegator: (request: FastifyRequest, done: (error: Error | null, options: object) => void) => {
      // Most readers are of the same origin, or programs.
      if (request.headers.origin === undefined) return done(null, NOT_SHARED)
      isShared(context, request).then(
        (origin) => done(null, { ...SHARED, origin }),
        (error) => done(error, NOT_SHARED),
      )
    },
  })
}

const SHARED = {
  methods: METHODS,
  allowedHeaders: ALLOWED,
  exposedHeaders: EXPOSED,
  maxAge: PREFLIGHT_SECONDS,
  strictPreflight: false,
}
const NOT_SHARED = { ...SHARED, origin: false }

const isShared = async (context: Http['context'], request: FastifyRequest): Promise<boolean> => {
  const { origin } = request.headers
  const slug = siteSlug(request)
  if (origin === undefined || slug === undefined) return false
  const site = await findSite(context, slug, 'recent')
  return site !== undefined && isAllowedOrigin(site, origin)
}

/** A browser sends the origin with every write; programs send none. */
export const assertOrigin = (request: FastifyRequest): void => {
  const { origin } = request.headers
  if (origin !== undefined && isWrite(request) && !isAllowedOrigin(request.site, origin)) {
    throw new Refusal('origin_refused')
  }
}
