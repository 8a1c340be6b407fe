import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import pg from 'pg'
import { SECURITY_HEADERS } from '../../src/http/edge/headers.ts'
import { createLogger } from '../../src/logger.ts'

/**
 * The framework alone: one route that sends the bytes of a file. With `LOG_LEVEL` it also has the service's
 * security headers, limiter and request log; without it, only the route. With `UPDATE` it has a second route that
 * runs this statement, and then sends the bytes.
 */

const { PORT, LOG_LEVEL, BODY_FILE, HEADERS = '{}', LIMIT = '1000000000' } = process.env
const { DATABASE_URL, UPDATE, ROWS, CONNECTIONS } = process.env
const ROUTE = '/v1/sites/default/*'
const WINDOW_MS = 60_000

const createDressed = async (level: string): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: createLogger(level),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
  })
  app.addHook('onRequest', async (_request, reply) => void reply.headers(SECURITY_HEADERS))
  app.addHook('onResponse', async (request, reply) => {
    const operation = 'listThread'
    const { statusCode: status, elapsedTime } = reply
    const fields = { operation, site: 'default', status, duration_ms: elapsedTime }
    request.log.info(fields, `${operation} ${status}`)
  })
  await app.register(rateLimit, {
    max: Number(LIMIT),
    timeWindow: WINDOW_MS,
    keyGenerator: (request) => request.ip,
    // The service sends two limit headers with its own names, so this server sends two as well.
    addHeadersOnExceeding: { 'x-ratelimit-reset': false },
  })
  return app as unknown as FastifyInstance
}

const body = readFileSync(BODY_FILE!)
const headers: Record<string, string> = JSON.parse(HEADERS)
const app = LOG_LEVEL ? await createDressed(LOG_LEVEL) : Fastify()
app.get(ROUTE, async (_request, reply) => reply.headers(headers).send(body))
if (UPDATE) {
  const pool = new pg.Pool({ connectionString: DATABASE_URL!, max: Number(CONNECTIONS) })
  app.route({
    method: ['PUT', 'POST', 'PATCH'],
    url: ROUTE,
    handler: async (_request, reply) => {
      const id = 1 + Math.floor(Math.random() * Number(ROWS))
      await pool.query({ name: 'update', text: UPDATE, values: [id] })
      return reply.headers(headers).send(body)
    },
  })
}
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
process.once('SIGTERM', () => process.exit(0))
