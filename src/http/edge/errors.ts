import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal, type RefusalCode } from '../../domain/refusal.ts'
import { STATUS_OF, toProblem, toRefusal } from '../wire/problems.ts'
import { PROBLEM_TYPE, READABLE_BY_ALL, SECURITY_HEADERS } from './headers.ts'

const RETRY_AFTER_SECONDS = '1'

/** Turns every error into a problem with a code. Logs one line for a fault of the service. */
export const addErrors = (app: FastifyInstance): void => {
  app.setErrorHandler(sendError)
}

/** Also for requests that the framework refuses before any hook runs, such as a malformed URL. */
const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const { code, faults, status } = startError(error, request, reply)
  return reply
    .type(PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(toProblem(code, faults, status))
}

type StartedError = Pick<Refusal, 'code' | 'faults'> & { readonly status: number }

/** Sets the status and the headers of an error. Logs one line for a fault of the service. */
export const startError = (
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): StartedError => {
  const refusal = isSlow(error, request) ? new Refusal('request_timeout') : toRefusal(error)
  const { operation } = request.routeOptions.config ?? {}
  if (!refusal) request.log.error({ err: error, operation }, 'request failed')
  const { code, faults, retryAfterSeconds, cause } = refusal ?? new Refusal('unavailable')
  const status = refusal ? STATUS_OF[code] : 500
  if (status === STATUS_OF.unavailable)
    request.log.warn({ err: cause }, 'request refused: unavailable')
  const seconds = status === STATUS_OF.unavailable ? RETRY_AFTER_SECONDS : retryAfterSeconds
  if (seconds !== undefined) reply.header('retry-after', String(seconds))
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (!reply.hasHeader('access-control-allow-origin')) reply.headers(READABLE_BY_ALL)
  if (code === 'request_timeout') reply.header('connection', 'close')
  reply.code(status).header('cache-control', 'no-store')
  return { code, faults, status }
}

/** The time-out of a handler can end before that of the body, although the handler only waits for the body. */
const isSlow = (error: unknown, { raw }: FastifyRequest): boolean =>
  (error as FastifyError).code === 'FST_ERR_HANDLER_TIMEOUT' && !raw.complete

export const onFrameworkError = (
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void => {
  sendError(error, request, reply.headers(SECURITY_HEADERS))
}

const CODES: Readonly<Record<string, RefusalCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Responds on the socket itself if a request is not HTTP, its headers are too large, or it arrives too slowly. */
export const onClientError = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const code = CODES[error.code ?? ''] ?? 'invalid_request'
  const problem = toProblem(code)
  const body = JSON.stringify(problem)
  const headers = {
    ...SECURITY_HEADERS,
    ...READABLE_BY_ALL,
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}connection: close\r\n\r\n${body}`,
  )
}
