import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import { isAllowedOrigin, isForAllOrigins, type Site } from '../../domain/site/site.ts'
import { findSite } from '../../usecases/people/find-caller.ts'
import { EXPOSED } from './headers.ts'
import { type Http, isWrite, siteSlug } from './request-context.ts'

/** Chromium keeps a preflight no longer. */
const PREFLIGHT_SECONDS = 7_200

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const ALLOWED = 'authorization, content-type, if-match, if-none-match, idempotency-key'

/**
 * Allows cross-origin requests from the exact origins of the site, never with cookies. A preflight allows every origin,
 * because the request that follows is refused with a code: without one, a page cannot tell its own missing origin
 * from a broken network. No credential of a browser makes such a request more than one of a program.
 */
export const addOrigins = async (app: FastifyInstance, { context }: Http): Promise<void> => {
  await app.register(cors, {
    delegator: (request: FastifyRequest, done: (error: Error | null, options: object) => void) => {
      const { origin } = request.headers
      const slug = siteSlug(request)
      // Most requests come from the same origin or from programs, and need no look-up of the site.
      if (origin === undefined || slug === undefined) return done(null, SAME_ORIGIN_ONLY)
      if (request.method === 'OPTIONS') return done(null, { ...CORS_OPTIONS, origin: '*' })
      findSite(context, slug, 'recent').then(
        (site) => {
          const isShared = site !== undefined && isAllowedOrigin(site, origin)
          done(null, { ...CORS_OPTIONS, origin: isShared })
        },
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

/** Whether a page of this origin may read. The origin `null` reads where all origins do. Programs send none. */
export const mayOriginRead = (site: Site, origin: string | undefined): boolean =>
  origin === undefined || isForAllOrigins(site) || isAllowedOrigin(site, origin)

/** Refuses another origin. Browsers send the origin with every write, and with every read that a script makes. */
export const assertOrigin = (request: FastifyRequest): void => {
  const { site, headers } = request
  const { origin } = headers
  const isAllowed = isWrite(request)
    ? origin === undefined || isAllowedOrigin(site, origin)
    : mayOriginRead(site, origin)
  if (!isAllowed) throw new Refusal('origin_refused')
}
