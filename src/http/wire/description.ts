import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'

const DESCRIPTION = `Nested comments for the articles of any site.

Everything that belongs to a site is under \`/v1/sites/{site}\`. An article is named by the site's own
key, percent-encoded. Lists answer \`items\` and \`next_cursor\`. Every answer of 400 and above is
\`application/problem+json\` with a \`code\`.`

const TAGS = [
  { name: 'reading', description: 'For widgets and other services.' },
  { name: 'writing', description: 'For readers who comment.' },
  { name: 'moderating', description: 'For moderators.' },
  { name: 'administering', description: 'For those who run a site.' },
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
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: "An API key, a member's token or a guest token.",
          },
        },
      },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) =>
        (json.$id as string | undefined) ?? `def-${i}`,
    },
    transformObject: (document) =>
      'openapiObject' in document
        ? withoutNeedlessDemands(document.openapiObject)
        : document.swaggerObject,
  })
}

type Parameter = { required?: boolean; schema?: { default?: unknown } }
type Operations = Record<string, { parameters?: Parameter[] }>

/** A parameter that has a default is there for the handler, and need not be sent. */
const withoutNeedlessDemands = <T extends { paths?: unknown }>(description: T): T => {
  for (const operations of Object.values((description.paths ?? {}) as Record<string, Operations>))
    for (const { parameters = [] } of Object.values(operations))
      for (const parameter of parameters)
        if (parameter.schema?.default !== undefined) parameter.required = false
  return description
}
