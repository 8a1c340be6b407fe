import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'

const DESCRIPTION = `Nested comments for the articles of any site.

Everything that belongs to a site is under \`/v1/sites/{site}\`. An article is named by the site's own
key, percent-encoded. Lists answer \`items\` and \`next_cursor\`. Every answer of 400 and above is
\`application/problem+json\` with a \`code\`.`

const TAGS = [
  { name: 'reading', description: 'For widgets and other services.' },
  { name: 'writing', description: 'For readers who comment.' },
  { name: 'moderating', description: 'For moderators and administrators.' },
  { name: 'running', description: 'For whoever runs the service.' },
]

/** Collects the description of the routes that are added after it. */
export const addDescription = async (app: FastifyInstance, version: string): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Afterword', version, description: DESCRIPTION, license: { name: 'MIT' } },
      servers: [{ url: '/' }],
      tags: TAGS,
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a guest token.' },
        },
      },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) =>
        (json.$id as string | undefined) ?? `def-${i}`,
    },
  })
}

/** The description as a file, and as a page from our own origin. */
export const addReference = async (app: FastifyInstance): Promise<void> => {
  app.get(
    '/openapi.yaml',
    { schema: { hide: true }, config: { limit: 'none' } },
    async (_request, reply) =>
      reply.type('application/yaml; charset=utf-8').send(app.swagger({ yaml: true })),
  )
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })
}
