import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import { findSite } from '../../usecases/reading/recognise.ts'
import { networkOf } from './addresses.ts'
import { type Http, isWrite, siteSlug } from './context.ts'
import { identify, mayBeKey } from './identity.ts'
import { addLimits, type LimitCounters, type Limits } from './limits.ts'
import { addOrigins, assertOrigin } from './origins.ts'

/**
 * What happens to every request for a site before its handler: which site, shared with which
 * origin, who sent it, and whether that is too much. Who may have a key has to be looked up before
 * it is known what counts; everybody else is counted first, and asks Postgres for nothing more once
 * it is too much. A bad credential counts against the network.
 */
export const addGate = async (
  app: FastifyInstance,
  http: Http,
  options: { limits: Limits; counters: LimitCounters },
): Promise<void> => {
  app.addHook('onRequest', (_request, _reply, done) => {
    http.keys()
    done()
  })
  await addOrigins(app, http)
  const assertLimits = await addLimits(app, http, options)

  app.addHook('onRequest', async (request, reply) => {
    request.network = networkOf(request.ip)
    const isFirst = !mayBeKey(request)
    if (isFirst) await assertLimits(request, reply)
    const refusal = await recognise(http, request)
    if (!isFirst) await assertLimits(request, reply)
    if (refusal) throw refusal
    assertOrigin(request)
  })
}

/** Finds out site and caller. A refusal is returned: it is due once the request has been counted. */
const recognise = async (http: Http, request: FastifyRequest): Promise<unknown> => {
  try {
    const slug = siteSlug(request)
    const site = slug && (await findSite(http.world, slug, isWrite(request) ? 'fresh' : 'recent'))
    if (!site) throw new Refusal('not_found')
    request.site = site
    request.caller = await identify(http, request)
  } catch (refusal) {
    return refusal
  }
}
