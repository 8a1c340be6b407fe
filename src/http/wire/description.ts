import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import type { Http } from '../edge/request-context.ts'
import { COMMON_ERRORS } from './operation.ts'
import { QUICK_START } from './quick-start.ts'
import { writeYaml } from './write-yaml.ts'

const DESCRIPTION = `Nested comments for the articles of any site.

${QUICK_START}

## Conventions

Everything that belongs to a site is under \`/v1/sites/{site}\`. The site names each article by a key of
its own, percent-encoded. A list returns \`items\` and \`next_cursor\`. Every response with a status of 400
or above is \`application/problem+json\` with a \`code\`.

**Who may call an operation.** *Anyone* includes requests without a credential. *Moderators* are API keys
with the scope \`moderate\` or \`admin\`, and members with the role \`moderator\` or \`owner\`.
*Administrators* are API keys with the scope \`admin\`, and members with the role \`owner\`. *Service
administrators* are \`admin\` keys that belong to no single site.

**Invalid credentials.** An operation that anyone may call and that changes nothing ignores a guest token that
is not valid any more. Its response has the header \`Guest-Token: stale\`: discard the token. Any other
invalid credential is \`401 invalid_token\`, on every operation.`

const TAGS = [
  { name: 'Reading', description: 'Comments, threads, counts and settings that anyone may read.' },
  { name: 'Posting', description: 'Comments, votes, flags, appeals and personal data of authors.' },
  { name: 'Moderation', description: 'Queue, decisions, policy, bans, notes and appeals.' },
  { name: 'Administration', description: 'Sites, members, API keys and the audit log.' },
  { name: 'Health', description: 'Probes and metrics for operators.' },
]

const asList = (codes: readonly string[]): string => codes.map((code) => `\`${code}\``).join(', ')

const PROBLEM = {
  description: `An error. The common codes are ${asList(COMMON_ERRORS)}.`,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

const BEARER = {
  type: 'http',
  scheme: 'bearer',
  description: 'An API key, a member token or a guest token.',
} as const

/** Describes the routes that are added after this call. */
export const addDescription = async (
  app: FastifyInstance,
  { version, publicUrl }: Pick<Http, 'version' | 'publicUrl'>,
): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Afterword',
        version,
        description: DESCRIPTION,
        contact: { name: 'The operator of this service' },
        license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
      },
      servers: [{ url: publicUrl || '/' }],
      tags: TAGS,
      components: { responses: { Problem: PROBLEM }, securitySchemes: { bearer: BEARER } },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) =>
        (json.$id as string | undefined) ?? `def-${i}`,
    },
    transform: ({ schema, url, route }) => ({
      schema: { ...schema, [ERRORS]: route.config?.errors ?? [] },
      url,
    }),
    transformObject: (document) =>
      'openapiObject' in document
        ? completeDescription(document.openapiObject)
        : document.swaggerObject,
  })
}

/** The description of all routes, as `openapi.yaml` has it. */
export const writeDescription = (app: FastifyInstance): string => writeYaml(app.swagger())

/** Carries the error codes of a route to its operation; the finished description does not have it. */
const ERRORS = 'x-errors'

type Parameter = {
  readonly name: string
  readonly in: string
  required?: boolean
  readonly schema?: { readonly default?: unknown }
}
type Reference = { readonly $ref: string; readonly description?: string }
type Operation = {
  parameters?: (Parameter | Reference)[]
  readonly responses: Record<string, Reference | { description: string }>
  [ERRORS]?: readonly string[]
}
type Description = {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { parameters?: Record<string, Parameter> }
}

const completeDescription = <T>(openapi: T): T => {
  const description = openapi as unknown as Description
  for (const operations of Object.values(description.paths))
    for (const operation of Object.values(operations)) {
      describeErrors(operation)
      describeStatuses(operation)
      markDefaultsOptional(operation)
    }
  shareParameters(description)
  return openapi
}

/** One `default` response lists the error codes of the operation. */
const describeErrors = (operation: Operation): void => {
  const codes = operation[ERRORS] ?? []
  delete operation[ERRORS]
  const own = codes.filter((code) => !COMMON_ERRORS.some((common) => common === code))
  const hasCommon = codes.length - own.length === COMMON_ERRORS.length
  operation.responses.default = {
    $ref: '#/components/responses/Problem',
    description: hasCommon
      ? ['The common codes', ...[asList(own)].filter(Boolean)].join(', ')
      : asList(codes),
  }
}

const STATUSES: Record<string, string> = {
  200: 'OK.',
  201: 'Created.',
  202: 'Accepted: a comment is held, or the work continues in the background.',
  503: 'Not ready for traffic.',
}

const describeStatuses = ({ responses }: Operation): void => {
  for (const [status, response] of Object.entries(responses))
    if (response.description === 'Default Response')
      responses[status] = { ...response, description: STATUSES[status]! }
}

/** TypeBox requires every parameter that has a default. */
const markDefaultsOptional = ({ parameters = [] }: Operation): void => {
  for (const parameter of parameters)
    if ('schema' in parameter && parameter.schema?.default !== undefined) parameter.required = false
}

/** Moves each parameter that several operations have to the components. */
const shareParameters = ({ paths, components }: Description): void => {
  const uses = new Map<string, { operation: Operation; index: number; name: string }[]>()
  for (const [path, operations] of Object.entries(paths))
    for (const operation of Object.values(operations))
      for (const [index, parameter] of (operation.parameters ?? []).entries()) {
        const text = JSON.stringify(parameter)
        const name = parameterName(path, parameter as Parameter)
        uses.set(text, [...(uses.get(text) ?? []), { operation, index, name }])
      }
  const shared: Record<string, Parameter> = {}
  for (const [text, places] of [...uses].filter(([, places]) => places.length > 1)) {
    const { name } = places[0]!
    const isTaken = name in shared
    if (isTaken) continue
    shared[name] = JSON.parse(text)
    for (const { operation, index } of places)
      operation.parameters![index] = { $ref: `#/components/parameters/${name}` }
  }
  components.parameters = shared
}

/** An `id` in a path is named after the segment before it: `comments.id`. */
const parameterName = (path: string, parameter: Parameter): string => {
  if (parameter.in !== 'path') return parameter.name
  const before = path.split('/').at(path.split('/').indexOf(`{${parameter.name}}`) - 1)
  return `${before}.${parameter.name}`
}
