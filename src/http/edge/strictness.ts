import type { FastifyInstance, FastifyRequest } from 'fastify'
import secureJson from 'secure-json-parse'
import { Refusal } from '../../domain/refusal.ts'
import { isStorable } from '../../domain/text.ts'

const MAX_JSON_DEPTH = 8
export const MAX_URL_LENGTH = 8_192

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Takes only what means one thing: nothing is guessed, dropped, replaced or coerced. */
export const addStrictness = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) =>
      bytes.length === 0 && request.method === 'DELETE' ? undefined : parseJson(bytes),
  )
  app.addHook('onRequest', async (request) => assertUrl(request.raw.url ?? ''))
  app.addHook('preValidation', async (request) => {
    assertStrings(request.params, 1)
    readQuery(request)
    assertStrings(request.query, 1)
  })
}

/** A body is UTF-8, one JSON text, not deep, and every string in it can be stored as it is. */
const parseJson = (bytes: Buffer): unknown => {
  let value: unknown
  try {
    value = secureJson.parse(utf8.decode(bytes))
  } catch (error) {
    throw new Refusal('invalid_request', { '/': 'is not JSON in UTF-8' }, { cause: error })
  }
  assertStrings(value, 1)
  return value
}

const assertStrings = (value: unknown, depth: number): void => {
  if (typeof value === 'string') {
    if (!isStorable(value)) {
      throw new Refusal('invalid_request', {
        '/': 'has a U+0000 or half a surrogate pair in a string',
      })
    }
  } else if (typeof value === 'object' && value !== null) {
    if (depth > MAX_JSON_DEPTH) throw new Refusal('invalid_request', { '/': 'is nested too deep' })
    for (const [key, inner] of Object.entries(value)) {
      assertStrings(key, depth)
      assertStrings(inner, depth + 1)
    }
  }
}

/** The router decodes the path and refuses what is malformed; the query it would let pass. */
const assertUrl = (url: string): void => {
  if (url.length > MAX_URL_LENGTH) throw new Refusal('uri_too_long')
  const at = url.indexOf('?')
  if (at === -1 || !url.includes('%', at)) return
  try {
    decodeURIComponent(url.slice(at + 1))
  } catch (error) {
    throw new Refusal(
      'invalid_request',
      { query: 'is not percent-encoded UTF-8' },
      { cause: error },
    )
  }
}

type Property = { type?: string }

/**
 * Gives the query's values the types that the route declares, where they are written plainly;
 * validation refuses the rest. A parameter that may be repeated is always an array.
 */
const readQuery = (request: FastifyRequest): void => {
  const query = request.query as Record<string, unknown>
  const schema = request.routeOptions.schema?.querystring as {
    properties?: Record<string, Property>
  }
  for (const [name, { type }] of Object.entries(schema?.properties ?? {})) {
    const value = query[name]
    if (typeof value !== 'string') continue
    if (type === 'integer' && /^(0|[1-9]\d{0,15})$/.test(value)) query[name] = Number(value)
    if (type === 'boolean' && /^(true|false)$/.test(value)) query[name] = value === 'true'
    if (type === 'array') query[name] = [value]
  }
}
