import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../edge/metrics.ts'
import { problemAnswers } from '../wire/operation.ts'
import { Health } from '../wire/problem-schemas.ts'
import { ref } from '../wire/schema-parts.ts'

export type HealthReport = {
  readonly status: 'ok' | 'degraded' | 'unavailable'
  readonly checks: Readonly<Record<string, string>>
}

const running = (operationId: string, summary: string, description: string, response: object) => ({
  config: { operation: operationId, limit: 'none' as const },
  schema: {
    operationId,
    tags: ['running'],
    summary,
    description,
    response: { ...response, ...problemAnswers(['invalid_request', 'uri_too_long']) },
  },
})

const LIVEZ = running('getLiveness', 'Whether the process answers', 'Asks nothing else.', {
  200: ref(Health),
})
const READYZ = running(
  'getReadiness',
  'Whether requests should be sent here',
  'Postgres and its migrations must be there; without Redis the service is `degraded`.',
  { 200: ref(Health), 503: ref(Health) },
)
const METRICS = running('getMetrics', 'Figures for Prometheus', 'In base units.', {
  200: { description: 'Text.', content: { 'text/plain': { schema: { type: 'string' } } } },
})

/** For whoever runs the service. */
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
