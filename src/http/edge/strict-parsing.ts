import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import secureJson from 'secure-json-parse'
import { isStorable } from '../../domain/comment/text.ts'
import { Refusal } from '../../domain/refusal.ts'

const MAX_JSON_DEPTH = 8
/** RFC 6901: the pointer to the whole body. */
const WHOLE_BODY = ''
/** The path of an alias can have two article ids, each with 24,576 characters when it is percent-encoded. */
export const MAX_URL_LENGTH = 57_344
const LARGE_BYTES = 65_536

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Accepts only unambiguous requests: parsing guesses, drops, replaces and coerces nothing. */
export const addStrictParsing = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      if (request.routeOptions.config.isSigned) request.bytes = bytes
      return bytes.length === 0 && request.method === 'DELETE' ? undefined : parseJson(bytes)
    },
  )
  app.addHook('onRequest', (request, reply, done) => {
    limitTime(request, reply)
    assertHost(request)
    assertUrl(request.raw.url ?? '')
    done()
  })
  app.addHook('preValidation', (request, _reply, done) => {
    assertStrings(request.params, 'path')
    readQuery(request)
    assertStrings(request.query, 'query')
    done()
  })
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined

/** How long a body can take to arrive. */
const BODY_TIMEOUT_MS = 10_000

/**
 * Ends a request whose body arrives too slowly, as Node ends one whose headers do. One that has its response already,
 * such as a refusal, gets no second one, which a proxy could take for the response to the next request.
 */
const limitTime = (
  { raw, routeOptions: { config } }: FastifyRequest,
  reply: FastifyReply,
): void => {
  if (raw.complete || !hasBody(raw) || config?.isUpload) return
  const timer = setTimeout(() => {
    // Node has no public way to end one request like this. An injected request has no server.
    const socket = raw.socket as typeof raw.socket & { server?: EventEmitter }
    if (raw.complete || !socket.server) return
    if (reply.raw.headersSent) return void socket.destroy()
    const error = Object.assign(new Error('the body arrives too slowly'), {
      code: 'ERR_HTTP_REQUEST_TIMEOUT',
    })
    socket.server.emit('clientError', error, socket)
  }, BODY_TIMEOUT_MS).unref()
  const stop = (): void => clearTimeout(timer)
  raw.once('end', stop).once('close', stop)
}

/** Accepts UTF-8 with one JSON text of limited depth, in which every string can be stored unchanged. */
const parseJson = async (bytes: Buffer): Promise<unknown> => {
  let value: unknown
  try {
    value = secureJson.parse(utf8.decode(bytes))
  } catch (error) {
    throw new Refusal('invalid_request', { [WHOLE_BODY]: 'is not JSON in UTF-8' }, { cause: error })
  }
  // Between the steps of a large body, other requests get the processor.
  if (bytes.length > LARGE_BYTES) await turn()
  assertStrings(value, WHOLE_BODY)
  if (bytes.length > LARGE_BYTES) await turn()
  return value
}

const assertStrings = (value: unknown, where: string, depth = 1): void => {
  if (typeof value === 'string' && !isStorable(value)) {
    throw new Refusal('invalid_request', { [where]: 'has a U+0000 or half a surrogate pair' })
  }
  if (typeof value !== 'object' || value === null) return
  if (depth > MAX_JSON_DEPTH)
    throw new Refusal('invalid_request', { [where]: 'is nested too deep' })
  // A list can have a million items, so `Object.entries` would be too slow.
  if (Array.isArray(value)) {
    for (const inner of value) assertStrings(inner, where, depth + 1)
    return
  }
  for (const [key, inner] of Object.entries(value)) {
    assertStrings(key, where, depth)
    assertStrings(inner, where, depth + 1)
  }
}

/** RFC 9112: a request has exactly one Host header; HTTP/1.0 allows none. */
const assertHost = ({ raw }: FastifyRequest): void => {
  const hosts = countHosts(raw)
  const isEnough = hosts === 1 || (hosts === 0 && raw.httpVersion === '1.0')
  if (!isEnough) throw new Refusal('invalid_request', { host: 'is needed exactly once' })
}

/** Counts the Host headers, of which Node keeps only the first. */
export const countHosts = ({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): number => {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts
}

/** Refuses a malformed query string, which the router accepts. The router refuses a malformed path. */
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
 * Converts query values to the types that the route declares if they are in canonical form; validation
 * refuses all others. A parameter that can be repeated is always an array.
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
