import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { addContext, type Http } from './http/edge/context.ts'
import { addErrors, onClientError, onFrameworkError } from './http/edge/errors.ts'
import { addGate } from './http/edge/gate.ts'
import { SECURITY_HEADERS } from './http/edge/headers.ts'
import type { LimitCounters } from './http/edge/limits.ts'
import { createMetrics, type Figures } from './http/edge/metrics.ts'
import { addStrictness, MAX_URL_LENGTH } from './http/edge/strictness.ts'
import { addAuditRoutes } from './http/routes/administering/audit.ts'
import { addKeyRoutes } from './http/routes/administering/keys.ts'
import { addMemberRoutes } from './http/routes/administering/members.ts'
import { addSiteRoutes } from './http/routes/administering/sites.ts'
import { addAppealRoutes } from './http/routes/moderating/appeals.ts'
import { addAuthorNoteRoutes } from './http/routes/moderating/author-notes.ts'
import { addBanRoutes } from './http/routes/moderating/bans.ts'
import { addCannedReasonRoutes } from './http/routes/moderating/canned-reasons.ts'
import { addCheckRoutes } from './http/routes/moderating/checks.ts'
import { addClaimRoutes } from './http/routes/moderating/claims.ts'
import { addDecidingRoutes } from './http/routes/moderating/deciding.ts'
import { addJudgingRoutes } from './http/routes/moderating/judging.ts'
import { addModerationRoutes } from './http/routes/moderating/moderation.ts'
import { addMovingRoutes } from './http/routes/moderating/moving.ts'
import { addPolicyRoutes } from './http/routes/moderating/policies.ts'
import { addTrailRoutes } from './http/routes/moderating/trail.ts'
import { addAvatarRoutes } from './http/routes/reading/avatars.ts'
import { addSiteListRoutes } from './http/routes/reading/site-lists.ts'
import { addThreadRoutes } from './http/routes/reading/threads.ts'
import { addDescription, addReference } from './http/routes/reference.ts'
import type { Router } from './http/routes/router.ts'
import { addRunningRoutes, type HealthReport } from './http/routes/running.ts'
import { addCommentRoutes } from './http/routes/writing/comments.ts'
import { addOpinionRoutes } from './http/routes/writing/opinions.ts'
import { addOwnDataRoutes } from './http/routes/writing/own-data.ts'
import { addPostingRoutes } from './http/routes/writing/posting.ts'
import { buildSerializer, buildValidator } from './http/wire/schema-compilers.ts'
import { NAMED } from './http/wire/schemas/named.ts'

const BODY_BYTES = 65_536
const HEADER_BYTES = 32_768
/** The whole request must have arrived within this. */
const REQUEST_TIMEOUT_MS = 10_000
const CONNECTION_TIMEOUT_MS = 30_000
/** How often Node looks whether a request has taken too long to arrive. */
const CHECK_CONNECTIONS_MS = 2_000
const KEEP_ALIVE_TIMEOUT_MS = 72_000

export type AppOptions = Http & {
  readonly counters: LimitCounters
  readonly trustedProxies: readonly string[]
  readonly readiness: () => Promise<HealthReport>
  readonly figures: Figures
  readonly logger: FastifyBaseLogger | false
}

/** The whole HTTP surface. Opens nothing. */
export const buildApp = async (options: AppOptions): Promise<FastifyInstance> => {
  const app = createServer(options)
  const metrics = createMetrics(options.figures)
  addErrors(app)
  addContext(app)
  addStrictness(app)
  addRequestRecords(app, metrics)
  await addDescription(app, options.version)
  for (const schema of NAMED) app.addSchema(schema)
  addRunningRoutes(app, { readiness: options.readiness, metrics })
  await addReference(app)
  await app.register(async (v1) => addSiteScope(v1 as unknown as Router, options), {
    prefix: '/v1',
  })
  return app
}

const createServer = ({ logger, trustedProxies }: AppOptions): FastifyInstance => {
  const app = Fastify({
    ...(logger === false ? { logger } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_URL_LENGTH },
    // `addStrictness` refuses what has no host: Node would answer without a problem.
    http: {
      maxHeaderSize: HEADER_BYTES,
      requireHostHeader: false,
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
    },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
    schemaController: { compilersFactory: { buildValidator, buildSerializer } },
    frameworkErrors: onFrameworkError,
    clientErrorHandler: onClientError,
  })
  // Hooks that wait for nothing are plain functions: a promise each, and all together cost as much
  // as the look-up of a page.
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SECURITY_HEADERS)
    done()
  })
  // An expectation that we do not know is no expectation: Node would answer 417 without a problem.
  app.server.on('checkExpectation', (...exchange) => app.server.emit('request', ...exchange))
  return app as unknown as FastifyInstance
}

/** One log line and one observation per request. */
const addRequestRecords = (
  app: FastifyInstance,
  metrics: ReturnType<typeof createMetrics>,
): void => {
  app.addHook('onResponse', (request, reply, done) => {
    const operation = request.routeOptions.config?.operation ?? 'unknown'
    const { statusCode: status, elapsedTime } = reply
    metrics.observe(operation, status, elapsedTime / 1000)
    const site = request.site?.slug
    request.log.info(
      { operation, site, status, duration_ms: elapsedTime },
      `${operation} ${status}`,
    )
    done()
  })
}

const addSiteScope = async (v1: Router, options: AppOptions): Promise<void> => {
  await addGate(v1 as unknown as FastifyInstance, options, options.counters)
  addThreadRoutes(v1, options)
  addPostingRoutes(v1, options)
  addCommentRoutes(v1, options)
  addOpinionRoutes(v1, options)
  addOwnDataRoutes(v1, options)
  addSiteListRoutes(v1, options)
  addModerationRoutes(v1, options)
  addDecidingRoutes(v1, options)
  addClaimRoutes(v1, options)
  addMovingRoutes(v1, options)
  addPolicyRoutes(v1, options)
  addJudgingRoutes(v1, options)
  addCannedReasonRoutes(v1, options)
  addBanRoutes(v1, options)
  addAuthorNoteRoutes(v1, options)
  addTrailRoutes(v1, options)
  addAppealRoutes(v1, options)
  addSiteRoutes(v1, options)
  addCheckRoutes(v1, options)
  addKeyRoutes(v1, options)
  addAuditRoutes(v1, options)
  addMemberRoutes(v1, options)
  addAvatarRoutes(v1)
}
