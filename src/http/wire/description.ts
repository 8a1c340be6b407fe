import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { QUICK_START } from './quick-start.ts'

const DESCRIPTION = `Nested comments for the articles of any site.

${QUICK_START}

## Conventions

Everything that belongs to a site is under \`/v1/sites/{site}\`. The site names each article by a key of
its own, percent-encoded. A list returns \`items\` and \`next_cursor\`. Every response with a status of 400
or above is \`application/problem+json\` with a \`code\`.

**Who may call an operation.** *Anyone* includes requests without a credential. *Moderators* are API keys
with the scope \`moderate\` or \`admin\`, and members with the role \`moderator\` or \`owner\`.
*Administrators* are API keys with the scope \`admin\`, and members with the role \`owner\`. *Service
administrators* are \`admin\` keys that belong to no single site.`

const TAGS = [
  { name: 'Reading', description: 'Comments, threads, counts and settings that anyone may read.' },
  { name: 'Posting', description: 'Comments, votes, flags, appeals and personal data of authors.' },
  { name: 'Moderation', description: 'Queue, decisions, policy, bans, notes and appeals.' },
  { name: 'Administration', description: 'Sites, members, API keys and the audit log.' },
  { name: 'Health', description: 'Probes and metrics for operators.' },
]

/** Describes the routes that are added after this call. */
export const addDescription = async (app: FastifyInstance, version: string): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Afterword',
        version,
        description: DESCRIPTION,
        license: { name: 'MIT' },
      },
      servers: [{ url: '/' }],
      tags: TAGS,
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key, a member token or a guest token.',
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
        ? withOptionalDefaults(document.openapiObject)
        : document.swaggerObject,
  })
}

type Parameter = { required?: boolean; schema?: { default?: unknown } }
type Operations = Record<string, { parameters?: Parameter[] }>

/** Marks parameters that have a default as optional: TypeBox requires them. */
const withOptionalDefaults = <T extends { paths?: unknown }>(description: T): T => {
  for (const operations of Object.values((description.paths ?? {}) as Record<string, Operations>))
    for (const { parameters = [] } of Object.values(operations))
      for (const parameter of parameters)
        if (parameter.schema?.default !== undefined) parameter.required = false
  return description
}
