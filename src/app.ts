import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { Logger } from 'pino'
import { addAliasRoutes } from './http/aliases/routes.ts'
import { addAppealRoutes } from './http/appeals/routes.ts'
import { addAuditRoutes } from './http/audit-log/routes.ts'
import { addAuthorNoteRoutes } from './http/author-notes/routes.ts'
import { addAuthorRoutes } from './http/authors/routes.ts'
import { addBanRoutes } from './http/bans/routes.ts'
import { addBatchRoutes } from './http/batches/routes.ts'
import { addCannedReasonRoutes } from './http/canned-reasons/routes.ts'
import { addCheckRoutes } from './http/checks/routes.ts'
import { addClaimRoutes } from './http/claims/routes.ts'
import { addPostingRoutes } from './http/comments/posting-routes.ts'
import { addCommentRoutes } from './http/comments/routes.ts'
import { addCommentFormRoutes } from './http/comments-html/form-routes.ts'
import { addCommentsHtmlRoutes } from './http/comments-html/routes.ts'
import { addDecisionRoutes } from './http/decisions/routes.ts'
import { addErrors, onClientError, onFrameworkError } from './http/edge/errors.ts'
import { SECURITY_HEADERS } from './http/edge/headers.ts'
import { addKnownRequests, type Recorded } from './http/edge/known-requests.ts'
import type { LimitCounters } from './http/edge/limits.ts'
import { addMethods } from './http/edge/methods.ts'
import { createMetrics } from './http/edge/metrics.ts'
import { addContext, type Http } from './http/edge/request-context.ts'
import { addRequestPipeline } from './http/edge/request-pipeline.ts'
import {
  createSenderAddresses,
  type Proxies,
  type SenderAddresses,
} from './http/edge/sender-addresses.ts'
import type { MetricSources } from './http/edge/source-metrics.ts'
import { addStrictParsing, MAX_URL_LENGTH } from './http/edge/strict-parsing.ts'
import { addEmbedRoutes } from './http/embed/routes.ts'
import { addExportRoutes } from './http/exports/routes.ts'
import { addImportRoutes } from './http/imports/routes.ts'
import { addJudgingRoutes } from './http/judging/routes.ts'
import { addKeyRoutes } from './http/keys/routes.ts'
import { addMarkRoutes } from './http/marks/routes.ts'
import { addMemberRoutes } from './http/members/routes.ts'
import { addModerationLogRoutes } from './http/moderation-log/routes.ts'
import { addModerationStatsRoutes } from './http/moderation-stats/routes.ts'
import { addMovingRoutes } from './http/moving/routes.ts'
import { addOwnDataRoutes } from './http/own-data/routes.ts'
import { addPolicyRoutes } from './http/policies/routes.ts'
import { addQueueRoutes } from './http/queue/routes.ts'
import { addReassignmentRoutes } from './http/reassignments/routes.ts'
import { addRedactionRoutes } from './http/redactions/routes.ts'
import { addRemapRoutes } from './http/remaps/routes.ts'
import { addReplyRoutes } from './http/replies/routes.ts'
import { addRevisionRoutes } from './http/revisions/routes.ts'
import { addAvatarRoutes } from './http/service/avatars.ts'
import { addHealthRoutes, type HealthReport } from './http/service/health.ts'
import { addReference } from './http/service/reference.ts'
import { addWelcome } from './http/service/welcome.ts'
import { addSiteListRoutes } from './http/site-lists/routes.ts'
import { addSiteRoutes } from './http/sites/routes.ts'
import { addStaffRoutes } from './http/staff/routes.ts'
import { addThreadRoutes } from './http/threads/routes.ts'
import { addThreadSearchRoutes } from './http/threads/searching-routes.ts'
import { addTransferRoutes } from './http/transfers/routes.ts'
import { addViewerRoutes } from './http/viewer/routes.ts'
import { addVoteAndFlagRoutes } from './http/votes-and-flags/routes.ts'
import { addDescription } from './http/wire/description.ts'
import type { Router } from './http/wire/router.ts'
import { buildSerializer, buildValidator } from './http/wire/schema-compilers.ts'
import { NAMED } from './http/wire/schema-registry.ts'

const BODY_BYTES = 65_536

/** With the address of the request. */
const HEADER_BYTES = 90_112

/** How long the headers of a request can take to arrive. `addStrictParsing` has the time of a body. */
const HEADERS_TIMEOUT_MS = 10_000

/** How long the file of an import can take to arrive. */
const UPLOAD_TIMEOUT_MS = 3_600_000

const CONNECTION_TIMEOUT_MS = 30_000

/** How often Node looks for requests that take too long to arrive. */
const CHECK_CONNECTIONS_MS = 2_000

const KEEP_ALIVE_TIMEOUT_MS = 72_000

export type AppOptions = Http & {
  readonly counters: LimitCounters
  readonly proxies: Proxies
  readonly readiness: () => Promise<HealthReport>
  readonly metricSources: MetricSources
  readonly logger: FastifyBaseLogger | false
}

/** Builds the HTTP server with all routes. It neither connects nor listens. */
export const buildApp = async (options: AppOptions): Promise<FastifyInstance> => {
  // Its warnings need the logger of the app.
  const senders: SenderAddresses = createSenderAddresses(options.proxies, (fields, message) =>
    app.log.warn(fields, message),
  )
  const app = createServer(options, senders)
  const metrics = createMetrics({ version: options.version, sources: options.metricSources })
  addErrors(app)
  addContext(app)
  addStrictParsing(app)
  addMethods(app)
  addRequestRecords(app, metrics)
  addKnownRequests(app, { ...options, record: recordKnown(app, metrics) })
  await addDescription(app, options)
  for (const schema of NAMED) app.addSchema(schema)
  addHealthRoutes(app, { readiness: options.readiness, metrics })
  addWelcome(app, options)
  addReference(app)
  addEmbedRoutes(app)
  await app.register(async (v1) => addSiteScope(v1 as unknown as Router, options, senders), {
    prefix: '/v1',
  })
  return app
}

const createServer = (
  { logger, proxies }: AppOptions,
  { isTrusted }: SenderAddresses,
): FastifyInstance => {
  const app = Fastify({
    ...(logger === false ? { logger } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    // For X-Forwarded-Host and X-Forwarded-Proto. Proxies that write another header may pass these on from clients.
    trustProxy: proxies.trusted.length > 0 && proxies.header === 'x-forwarded-for' && isTrusted,
    bodyLimit: BODY_BYTES,
    requestTimeout: UPLOAD_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_URL_LENGTH },
    // `addStrictParsing` refuses a request without a host; Node would respond without a problem document.
    http: {
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requireHostHeader: false,
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
    },
    ajv: {
      customOptions: {
        removeAdditional: false,
        coerceTypes: false,
        allErrors: false,
        // The tests check every schema. Checking them again would delay the first request by 40 ms.
        validateSchema: false,
        meta: false,
      },
    },
    schemaController: { compilersFactory: { buildValidator, buildSerializer } },
    frameworkErrors: onFrameworkError,
    clientErrorHandler: onClientError,
  })
  // Hooks without I/O are plain functions: the promises of async hooks together cost as much as finding a
  // cached page.
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(SECURITY_HEADERS)
    done()
  })
  // An unknown `Expect` header is ignored; Node would respond 417 without a problem document.
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

/** The same line and observation for a request that the framework does not see. */
const recordKnown = (app: FastifyInstance, metrics: ReturnType<typeof createMetrics>) => {
  // An unwritten line costs as much as the observation.
  const isLogged = (app.log as Partial<Logger>).isLevelEnabled?.('info') ?? false
  return ({ operation, site, status, elapsedMs }: Recorded): void => {
    metrics.observe(operation, status, elapsedMs / 1000)
    metrics.countKnown()
    if (!isLogged) return
    const fields = { reqId: randomUUID(), operation, site, status, duration_ms: elapsedMs }
    app.log.info(fields, `${operation} ${status}`)
  }
}

const addSiteScope = async (
  v1: Router,
  options: AppOptions,
  senders: SenderAddresses,
): Promise<void> => {
  const { counters } = options
  await addRequestPipeline(v1 as unknown as FastifyInstance, options, { counters, senders })
  addThreadRoutes(v1, options)
  addThreadSearchRoutes(v1, options)
  addPostingRoutes(v1, options)
  addCommentRoutes(v1, options)
  addVoteAndFlagRoutes(v1, options)
  addOwnDataRoutes(v1, options)
  addExportRoutes(v1, options)
  addReassignmentRoutes(v1, options)
  addSiteListRoutes(v1, options)
  addViewerRoutes(v1, options)
  addTransferRoutes(v1, options)
  addRemapRoutes(v1, options)
  addReplyRoutes(v1, options)
  addCommentsHtmlRoutes(v1, options)
  addCommentFormRoutes(v1, options)
  addQueueRoutes(v1, options)
  addDecisionRoutes(v1, options)
  addBatchRoutes(v1, options)
  addMarkRoutes(v1, options)
  addRevisionRoutes(v1, options)
  addRedactionRoutes(v1, options)
  addModerationStatsRoutes(v1, options)
  addStaffRoutes(v1, options)
  addClaimRoutes(v1, options)
  addMovingRoutes(v1, options)
  addPolicyRoutes(v1, options)
  addJudgingRoutes(v1, options)
  addAliasRoutes(v1, options)
  addCannedReasonRoutes(v1, options)
  addBanRoutes(v1, options)
  addAuthorNoteRoutes(v1, options)
  addAuthorRoutes(v1, options)
  addModerationLogRoutes(v1, options)
  addAppealRoutes(v1, options)
  addSiteRoutes(v1, options)
  addCheckRoutes(v1, options)
  addKeyRoutes(v1, options)
  addAuditRoutes(v1, options)
  addMemberRoutes(v1, options)
  addImportRoutes(v1, options)
  addAvatarRoutes(v1)
}
