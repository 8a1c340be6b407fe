import type { FastifyInstance } from 'fastify'
import findMyWay from 'find-my-way'
import { Refusal } from '../../domain/refusal.ts'
import { MAX_URL_LENGTH } from './strict-parsing.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

type Method = (typeof METHODS)[number]

/**
 * Distinguishes a method that a path does not have from a path that does not exist. The router of the framework
 * cannot, so a second router has the same paths. It is asked only if the first one has found no route, and built when
 * it is asked for the first time.
 */
export const addMethods = (app: FastifyInstance): void => {
  const routes: { readonly method: Method; readonly url: string }[] = []
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of METHODS) if ([method].flat().includes(one)) routes.push({ method: one, url })
  })
  let router: ReturnType<typeof createRouter> | undefined
  const allowedOn = (url: string): Method[] => {
    router ??= createRouter(routes)
    return METHODS.filter((method) => router!.find(method, url))
  }

  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404 || request.method === 'OPTIONS') return done()
    const allowed = allowedOn(request.raw.url!)
    if (allowed.length === 0) return done()
    reply.header('allow', [...allowed, 'OPTIONS'].join(', '))
    done(new Refusal('method_not_allowed'))
  })
  app.setNotFoundHandler((request, reply) => {
    const allowed = request.method === 'OPTIONS' ? allowedOn(request.raw.url!) : []
    if (allowed.length === 0) throw new Refusal('not_found')
    return reply
      .code(204)
      .header('allow', [...allowed, 'OPTIONS'].join(', '))
      .send()
  })
}

const createRouter = (routes: readonly { method: Method; url: string }[]) => {
  const router = findMyWay({ maxParamLength: MAX_URL_LENGTH })
  for (const { method, url } of routes) router.on(method, url, () => {})
  return router
}
