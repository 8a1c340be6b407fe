import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import { STATUS_OF, toProblem, toRefusal } from '../wire/problems.ts'
import { PROBLEM_TYPE, READABLE_BY_ALL, SECURITY_HEADERS } from './headers.ts'

const RETRY_AFTER_SECONDS = '1'

/** Turns every error into a problem with a code. Logs one line for a fault of the service. */
export const addErrors = (app: FastifyInstance): void => {
  app.setNotFoundHandler((request, reply) => sendError(new Refusal('not_found'), request, reply))
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
  const refusal = toRefusal(error)
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
  reply.code(status).header('cache-control', 'no-store')
  return { code, faults, status }
}

export const onFrameworkError = (
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void => {
  sendError(error, request, reply.headers(SECURITY_HEADERS))
}

/** Answers on the socket itself if a request is not HTTP or its headers are too large. */
export const onClientError = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'invalid_request'
  const problem = toProblem(code)
  const body = JSON.stringify(problem)
  const headers = {
    ...SECURITY_HEADERS,
    ...READABLE_BY_ALL,
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const reason = code === 'headers_too_large' ? 'Request Header Fields Too Large' : 'Bad Request'
  socket.end(
    `HTTP/1.1 ${problem.status} ${reason}\r\n${lines.join('')}connection: close\r\n\r\n${body}`,
  )
}
