import type { FastifyInstance, FastifyRequest } from 'fastify'
import { articleIdOn, type Site } from '../../domain/site/site.ts'

/** Operations whose responses have the ids of the request as keys. */
const KEEPING = new Set<string | undefined>(['countComments', 'countCommentsOfMany'])

/** The objects of a request that can name articles. */
type Naming = {
  article_id?: string | string[]
  into?: string
  filter?: Naming
  threads?: Naming[]
}

/**
 * Gives every operation the canonical form of the article ids of a request, on sites that ask for it. A known
 * request kept the ids of the request that came before it.
 */
export const addArticleIds = (app: FastifyInstance): void => {
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.site?.articleIds === 'canonical') readAsCanonical(request)
    done()
  })
}

const readAsCanonical = ({ site, params, query, body, routeOptions }: FastifyRequest): void => {
  if (KEEPING.has(routeOptions.config.operation)) return
  for (const part of [params, query, body]) replaceIds(site, part as Naming | null | undefined)
}

const replaceIds = (site: Site, naming: Naming | null | undefined): void => {
  if (typeof naming !== 'object' || naming === null) return
  const { article_id: id, into, filter, threads } = naming
  if (typeof id === 'string') naming.article_id = articleIdOn(site, id)
  else if (id) naming.article_id = id.map((one) => articleIdOn(site, one))
  if (into !== undefined) naming.into = articleIdOn(site, into)
  replaceIds(site, filter)
  for (const thread of threads ?? []) replaceIds(site, thread)
}
