import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

/** The page takes everything from our own origin, and nobody frames it. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'", // the page styles itself while it runs
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The description as a file, and as a page from our own origin. */
export const addReference = async (app: FastifyInstance): Promise<void> => {
  app.get(
    '/openapi.yaml',
    { schema: { hide: true }, config: { limit: 'none' } },
    async (_request, reply) =>
      reply.type('application/yaml; charset=utf-8').send(app.swagger({ yaml: true })),
  )
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: PAGE_POLICY,
    theme: { title: 'Afterword' },
    uiConfig: { deepLinking: true },
  })
}
