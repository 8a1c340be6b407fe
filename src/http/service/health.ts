import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../edge/metrics.ts'
import { Health } from '../wire/problem-schemas.ts'
import { ref } from '../wire/schema-parts.ts'

export type HealthReport = {
  readonly status: 'ok' | 'degraded' | 'unavailable'
  readonly checks: Readonly<Record<string, string>>
}

const health = (operationId: string, summary: string, description: string, response: object) => ({
  config: {
    operation: operationId,
    limit: 'none' as const,
    errors: ['invalid_request', 'request_timeout', 'uri_too_long', 'headers_too_large'] as const,
  },
  schema: {
    operationId,
    tags: ['Health'],
    summary,
    description,
    security: [],
    response,
  },
})

const LIVEZ = health(
  'getLiveness',
  'Check that the process responds',
  'Anyone may call it; it returns 200 as long as the process can answer. It does not contact ' +
    'Postgres or Redis.',
  { 200: ref(Health) },
)
const READYZ = health(
  'getReadiness',
  'Check readiness for traffic',
  'Anyone may call it; it returns 503 when Postgres is unreachable or not migrated. With Redis away, a ' +
    'full disk, Postgres settings that risk losing writes, or a job that was given up, it returns 200 with ' +
    'status `degraded`. `checks` names the cause by a code.',
  { 200: ref(Health), 503: ref(Health) },
)
const METRICS = health(
  'getMetrics',
  'Get Prometheus metrics',
  'Anyone who can reach the port may call it; it returns metrics in Prometheus text format. Durations ' +
    'are in seconds and sizes in bytes.',
  {
    200: {
      description: 'Metrics in Prometheus text format.',
      content: { 'text/plain': { schema: { type: 'string' } } },
    },
  },
)

/** Probes and metrics for operators. */
export const addHealthRoutes = (
  app: FastifyInstance,
  { readiness, metrics }: { readiness: () => Promise<HealthReport>; metrics: Metrics },
): void => {
  app.get('/livez', LIVEZ, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return { status: 'ok' }
  })

  app.get('/readyz', READYZ, async (_request, reply) => {
    const report = await readiness()
    reply.header('cache-control', 'no-store').code(report.status === 'unavailable' ? 503 : 200)
    return report
  })

  app.get('/metrics', METRICS, async (_request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .type(metrics.contentType)
      .send(await metrics.print()),
  )
}
