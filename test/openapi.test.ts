import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { DESCRIPTION_FILE, describeService } from '../scripts/openapi.ts'
import { STATUS_OF } from '../src/http/wire/problems.ts'

type Json = Record<string, any>

const text = await describeService()
const description: Json = parse(text)
const operations = Object.entries<Json>(description.paths).flatMap(([path, methods]) =>
  Object.entries<Json>(methods).map(([method, operation]) => ({
    path,
    method,
    ...operation,
    parameters: (operation.parameters ?? []).map((one: Json) =>
      one.$ref ? description.components.parameters[one.$ref.split('/').at(-1)] : one,
    ),
  })),
) as Json[]

const METHODS = ['get', 'put', 'post', 'delete', 'patch']
const PLACES = ['path', 'query', 'header']
const NAME = /^[A-Za-z0-9._-]+$/
const TOP = ['openapi', 'info', 'servers', 'tags', 'paths', 'components']
const PROBLEM_TYPE = 'application/problem+json'
const HEALTH = 'Health'
const PROBLEM = '#/components/responses/Problem'
const PROBLEM_SCHEMA = '#/components/schemas/Problem'
const MAX_BYTES_PER_OPERATION = 2_400

/** Every object in the description. */
const walk = (value: unknown): Json[] =>
  typeof value !== 'object' || value === null ? [] : [value, ...Object.values(value).flatMap(walk)]

const resolve = (root: Json, ref: string): unknown =>
  ref
    .replace(/^#\//, '')
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<any>((at, part) => at?.[part], root)

t.test('openapi.yaml is what the routes say: `npm run openapi` writes it', async (t) => {
  t.ok(readFileSync(DESCRIPTION_FILE, 'utf8') === text, 'byte for byte')
  const limit = MAX_BYTES_PER_OPERATION * operations.length
  t.ok(Buffer.byteLength(text) <= limit, `at most ${limit} bytes`)
})

/** Says which of the claims about each thing do not hold. */
const faultsOf = (claims: [string, unknown][]): string[] =>
  claims.flatMap(([claim, holds]) => (holds ? [] : [claim]))

t.test('every operation is named once, summed up, described and tagged', async (t) => {
  const tags = description.tags.map((tag: Json) => tag.name)
  const names = operations.map(({ operationId }) => operationId)
  t.ok(names.length > 20, 'they were found')
  t.same(names, [...new Set(names)], 'no name twice')
  const claims = operations.flatMap(
    ({ operationId: name, summary, description: prose, tags: own }): [string, unknown][] => [
      [`${name} has a name`, /^[a-z][A-Za-z]+$/.test(name)],
      [`${name} has a summary of at most six words`, /^[A-Z][^ ]*( [^ ]+){0,5}[^.]$/.test(summary)],
      [`${name} has a sentence`, prose.endsWith('.')],
      [`${name} has one tag, which is described`, own?.length === 1 && tags.includes(own[0])],
    ],
  )
  t.same(faultsOf(claims), [])
})

const isCommon = (code: string): boolean =>
  description.components.responses.Problem.description.includes(`\`${code}\``)

t.test('every operation lists its error codes in one default response', async (t) => {
  const claims = operations.flatMap(
    ({ operationId: name, tags, responses }): [string, unknown][] => {
      const { $ref, description: text } = responses.default
      const [first, ...others]: string[] = text.split(', ')
      const hasCommon = first === 'The common codes'
      const codes = (hasCommon ? others : [first!, ...others]).map((code) => code.slice(1, -1))
      return [
        [`${name}: the response is a problem`, $ref === PROBLEM],
        [`${name}: every code is one of the API`, codes.every((code) => code in STATUS_OF)],
        [`${name}: no code twice`, new Set(codes).size === codes.length],
        [`${name}: it has the common codes`, hasCommon || tags[0] === HEALTH],
        [`${name}: no common code twice`, !hasCommon || !codes.some(isCommon)],
      ]
    },
  )
  const { content } = description.components.responses.Problem
  claims.push(['a problem has a schema', content[PROBLEM_TYPE].schema.$ref === PROBLEM_SCHEMA])
  t.same(faultsOf(claims), [])
})

t.test('every error code is declared by an operation, except the reserved one', async (t) => {
  const declared = [
    description.components.responses.Problem.description,
    ...operations.map(({ responses }) => responses.default.description),
  ].join()
  const missing = Object.keys(STATUS_OF).filter((code) => !declared.includes(`\`${code}\``))
  // A method that an address does not have belongs to no operation.
  t.same(missing, ['method_not_allowed', 'duplicate_comment'])
})

t.test('every body has a name, and those that are sent have an example', async (t) => {
  const claims = operations.flatMap(
    ({ operationId: name, requestBody, responses }): [string, unknown][] => {
      const answers = Object.values<Json>(responses)
        .map(({ content = {} }) => content['application/json']?.schema)
        .filter((schema) => schema !== undefined && schema.type !== 'null')
      const [taken] = Object.values<Json>(requestBody?.content ?? {})
      const sent = taken?.schema.$ref
      const examples = sent && (resolve(description, sent) as Json).examples
      return [
        [`${name}: what it answers has a name`, answers.every(({ $ref }) => $ref)],
        [`${name}: what it takes has an example`, !requestBody || examples?.length > 0],
      ]
    },
  )
  t.same(faultsOf(claims), [])
})

t.test('no parameter that has a default has to be sent', async (t) => {
  const demanded = operations.flatMap(({ operationId, parameters = [] }) =>
    parameters
      .filter((parameter: Json) => parameter.required && parameter.in !== 'path')
      .map(({ name }: Json) => `${operationId} ${name}`),
  )
  t.same(demanded, ['countComments article_id'], 'this is the only one that has to be')
})

t.test('every parameter is described; those of the path are all there', async (t) => {
  const claims = operations.flatMap(
    ({ operationId, path, parameters = [] }): [string, unknown][] => {
      const inPath = new Set([...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name))
      const named = parameters.filter((p: Json) => p.in === 'path').map((p: Json) => p.name)
      const each = parameters.map((p: Json): [string, unknown] => [
        `${operationId} ${p.name} is whole`,
        PLACES.includes(p.in) && p.schema && p.description && (p.in !== 'path' || p.required),
      ])
      const isSame = inPath.size === named.length && named.every((name: string) => inPath.has(name))
      return [[`${operationId} has the parameters of its path`, isSame], ...each]
    },
  )
  t.same(faultsOf(claims), [])
})

t.test('every reference leads somewhere, and every component is used', async (t) => {
  const refs = walk(description).flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []))
  t.same(
    refs.filter((ref) => !ref.startsWith('#/') || !resolve(description, ref)),
    [],
  )
  const used = new Set(refs)
  for (const kind of ['schemas', 'responses', 'parameters']) {
    const names = Object.keys(description.components[kind])
    const unused = names.filter((name) => !used.has(`#/components/${kind}/${name}`))
    t.same(unused, [], kind)
  }
})

t.test('the document has the structure of OpenAPI 3.1', async (t) => {
  t.match(description, { openapi: /^3\.1\.\d+$/, info: { title: String, version: String } })
  const { schemas, securitySchemes } = description.components
  const claims = operations.flatMap(
    ({ path, method, responses, security = [], requestBody }): [string, unknown][] => [
      [`${method} ${path}: its place`, path.startsWith('/') && METHODS.includes(method)],
      [
        `${path}: statuses`,
        Object.keys(responses).every((status) => /^([1-5]\d\d|default)$/.test(status)),
      ],
      [`${path}: answers`, Object.values<Json>(responses).every((one) => one.description)],
      [`${path}: body`, !requestBody || requestBody.content],
      [
        `${path}: security`,
        security.flatMap(Object.keys).every((it: string) => securitySchemes[it]),
      ],
    ],
  )
  claims.push(['its top', Object.keys(description).every((key) => TOP.includes(key))])
  claims.push(['its names', Object.keys(schemas).every((name) => NAME.test(name))])
  claims.push(['its nullables', walk(description).every((node) => !('nullable' in node))])
  t.same(faultsOf(claims), [])
})
