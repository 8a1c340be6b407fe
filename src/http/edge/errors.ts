import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import { STATUS_OF, toProblem, toRefusal } from '../wire/problems.ts'
import { PROBLEM_TYPE, READABLE_BY_ALL, SECURITY_HEADERS } from './headers.ts'

const RETRY_AFTER_SECONDS = '1'

/** Turns every error into a problem with a code. Logs one line for a fault of the service. */
export const addErrors = (app: FastifyInstance): void => {
  app.setNotFoundHandler((_request, reply) => sendRefusal(reply, new Refusal('not_found')))
  app.setErrorHandler(sendError)
}

/** Also for requests that the framework refuses before any hook runs, such as a malformed URL. */
const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const refusal = toRefusal(error)
  if (!refusal) {
    request.log.error(
      { err: error, operation: request.routeOptions.config?.operation },
      'request failed',
    )
    return sendProblem(reply, toProblem('unavailable', {}, 500))
  }
  if (refusal.code === 'unavailable')
    request.log.warn({ err: refusal.cause }, 'request refused: unavailable')
  return sendRefusal(reply, refusal)
}

export const onFrameworkError = (
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void => {
  sendError(error, request, reply.headers(SECURITY_HEADERS))
}

const sendRefusal = (reply: FastifyReply, refusal: Refusal): FastifyReply => {
  const { code, faults, retryAfterSeconds } = refusal
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
  if (code === 'unavailable') reply.header('retry-after', RETRY_AFTER_SECONDS)
  if (STATUS_OF[code] === 401) reply.header('www-authenticate', 'Bearer')
  return sendProblem(reply, toProblem(code, faults))
}

const sendProblem = (reply: FastifyReply, problem: ReturnType<typeof toProblem>): FastifyReply =>
  reply
    .headers(reply.hasHeader('access-control-allow-origin') ? {} : READABLE_BY_ALL)
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type(PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(problem)

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
