import { randomBytes, randomUUID } from 'node:crypto'
import type { FastifyBaseLogger, FastifyInstance, InjectOptions } from 'fastify'
import { buildApp } from '../src/app.ts'
import { createLocalCacheTokens } from '../src/cache/cache-tokens.ts'
import { createLocalCounters } from '../src/cache/counters.ts'
import { createChecks } from '../src/clients/checks.ts'
import { createGuardedGet } from '../src/clients/guarded-get.ts'
import { createGuardedRequest, type GuardOptions } from '../src/clients/guarded-request.ts'
import { createMemberTokens } from '../src/clients/member-tokens.ts'
import { createContext } from '../src/context.ts'
import type { CacheTokens } from '../src/domain/cache-tokens.ts'
import type { Scope } from '../src/domain/people/caller.ts'
import type { RefusalCode } from '../src/domain/refusal.ts'
import type { ForwardedHeader } from '../src/http/edge/sender-addresses.ts'
import { NO_SOURCES } from '../src/http/edge/source-metrics.ts'
import { createBanHashes } from '../src/http/edge/writer-identity.ts'
import { deriveKeys } from '../src/http/wire/keys.ts'
import { STATUS_OF } from '../src/http/wire/problems.ts'
import { createPublicIds } from '../src/http/wire/public-ids.ts'
import type { Db } from '../src/postgres/connection/db.ts'
import { countJobs } from '../src/postgres/jobs/jobs.ts'
import { countQueues } from '../src/postgres/moderation/queue-counts.ts'
import { insertKey } from '../src/postgres/service/keys.ts'
import { insertSite } from '../src/postgres/service/sites.ts'
import type { Context } from '../src/usecases/context.ts'
import { createJobQueue } from '../src/usecases/jobs/job-queue.ts'
import { ID_SECRET, idsOf } from './ids.ts'
import { borrowDatabase } from './warm-databases.ts'

type Json = Record<string, any>

/** Memory for the 50,000 of a service in use costs a test 100 ms of processor. */
const MAX_THREADS = 1_000
const MAX_COUNTED = 1_000
export const SECRET = 'a secret for tests'
/** The keys of every service that a test opens. */
export const KEYS = deriveKeys([Buffer.from(SECRET)])

/** An answer, with its body parsed. */
export type Answer = { status: number; headers: Record<string, any>; body: any; text: string }

export type Call = {
  token?: string | undefined
  headers?: Record<string, string>
  body?: unknown
}

/** An Afterword of one test's own, on a database of its own, with the site `default`. */
export type TestService = Context & {
  readonly url: string
  readonly app: FastifyInstance
  /** An admin key for all sites. */
  readonly adminKey: string
  readonly call: (method: string, path: string, call?: Call) => Promise<Answer>
  /** `get('/articles/a')` is `GET /v1/sites/default/articles/a`. */
  readonly get: (path: string, call?: Call) => Promise<Answer>
  /** Posts as a new guest, or with the token; answers the comment (and its `guest_token`). */
  readonly post: (article: string, body: string, more?: Json, call?: Call) => Promise<Json>
  /** Changes settings of the default site, and throws if the service refuses them. */
  readonly changeSite: (settings: Json) => Promise<Json>
  /** Decides as the admin. */
  readonly decide: (id: string, from: string, to: string, more?: Json) => Promise<Answer>
  readonly makeKey: (scope: Scope, siteId?: number) => Promise<string>
}

/** A title that a comment suggests for its article, and the call that may do so on a site for all origins. */
export const suggest = (title: string, options: Call = {}) =>
  [
    { article: { title, url: 'https://a.example/page' } },
    { ...options, headers: { origin: 'https://a.example', ...options.headers } },
  ] as const

export type Teardown = { teardown: (callback: () => unknown) => void }

export type ServiceOptions = {
  limits?: { read: number; write: number }
  publicUrl?: string
  trustedProxies?: string[]
  forwardedHeader?: ForwardedHeader
  tokens?: CacheTokens
  hideWaitMs?: number
  warn?: Context['warn']
  logger?: FastifyBaseLogger
  /** How services outside are reached; unset: not at all. */
  outbound?: GuardOptions
}

export const openService = async (
  t: Teardown,
  options: ServiceOptions = {},
): Promise<TestService> => {
  const { url, db, figures } = await borrowDatabase(t)
  await insertSite(db, { slug: 'default', name: 'Default' })
  const tokens = options.tokens ?? createLocalCacheTokens(randomUUID, { maxTokens: MAX_THREADS })
  const kick: Context['kick'] = (kind) => jobs.kick(kind)
  const context = createTestContext(db, tokens, {
    hideWaitMs: options.hideWaitMs,
    warn: options.warn,
    outbound: options.outbound,
    kick,
    publicUrl: options.publicUrl,
  })
  const jobs = createJobQueue(context, {
    onFailure: ({ error }) => console.error(error),
    onError: (error) => console.error(error),
  })
  const app = await buildApp({
    context,
    keys: () => KEYS,
    version: '0.0.0',
    logger: options.logger ?? false,
    limits: options.limits ?? { read: 0, write: 0 },
    publicUrl: options.publicUrl ?? '',
    proxies: {
      trusted: options.trustedProxies ?? [],
      header: options.forwardedHeader ?? 'x-forwarded-for',
    },
    counters: { reads: createCounters(), writes: createCounters() },
    readiness: async () => ({ status: 'ok', checks: {} }),
    metricSources: () => ({
      ...NO_SOURCES,
      pools: { read: figures(), write: figures() },
      pages: context.pages.stats(),
      jobs: () => countJobs(db),
      queues: () => countQueues(db),
    }),
  })
  refuseUndeclared(app)
  t.teardown(async () => {
    await app.close()
    await jobs.close()
    await context.deferredTasks.settled()
  })
  const adminKey = await makeKey(db, 'admin')
  return {
    ...context,
    url,
    app,
    adminKey,
    ...callers(app, adminKey),
    makeKey: (scope, siteId) => makeKey(db, scope, siteId),
  }
}

const createCounters = () => createLocalCounters({ maxKeys: MAX_COUNTED })

/** One node, which shares with others what the tokens are shared with. */
export const createTestContext = (
  db: Db,
  tokens: CacheTokens,
  {
    hideWaitMs = 1_100,
    kick = () => {},
    warn = () => {},
    outbound = { allowedNetworks: [] },
    publicUrl,
  }: {
    hideWaitMs?: number | undefined
    kick?: Context['kick']
    warn?: Context['warn'] | undefined
    outbound?: GuardOptions | undefined
    publicUrl?: string | undefined
  } = {},
): Context =>
  createContext({
    db,
    writes: db,
    exports: db,
    cacheTokens: tokens,
    idsOf: publicUrl === undefined ? idsOf : createPublicIds(Buffer.from(ID_SECRET), publicUrl),
    banHashes: createBanHashes(() => KEYS),
    store: undefined,
    maxBytes: 16_777_216,
    maxThreads: MAX_THREADS,
    hideWaitMs,
    kick,
    warn,
    readMemberToken: createMemberTokens({ get: createGuardedGet(outbound) }),
    checks: createChecks({ request: createGuardedRequest(outbound) }),
  })

const makeKey = async (db: Db, scope: Scope, siteId: number | null = null): Promise<string> => {
  const key = randomBytes(24).toString('base64url')
  await insertKey(db, { name: `test ${scope}`, scope, siteId, key })
  return key
}

export const callers = (app: FastifyInstance, adminKey: string) => {
  const call = async (
    method: string,
    path: string,
    { token, headers, body }: Call = {},
  ): Promise<Answer> => {
    const answer = await app.inject({
      method: method as NonNullable<InjectOptions['method']>,
      url: path,
      headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) },
      ...(body !== undefined && { payload: body as NonNullable<InjectOptions['payload']> }),
    })
    const isJson = /[/+]json/.test(String(answer.headers['content-type'])) && answer.body !== ''
    const { statusCode: status, headers: sent, body: text } = answer
    return { status, headers: sent, text, body: isJson ? JSON.parse(text) : undefined }
  }
  const get = (path: string, options?: Call) => call('GET', `/v1/sites/default${path}`, options)
  const post = async (article: string, body: string, more: Json = {}, options: Call = {}) => {
    const author = options.token ? {} : { author: { name: 'Ada' } }
    const path = `/v1/sites/default/articles/${encodeURIComponent(article)}/comments`
    // A key of its own says that the post repeats no other one, even if the text is the same.
    const headers = { 'idempotency-key': randomUUID(), ...options.headers }
    const request = { ...options, headers, body: { body, ...author, ...more } }
    const answer = await call('POST', path, request)
    if (answer.status >= 300) throw new Error(`posting: ${answer.status} ${answer.text}`)
    return answer.body
  }
  const changeSite = async (settings: Json) => {
    const answer = await call('PATCH', '/v1/sites/default', { token: adminKey, body: settings })
    if (answer.status !== 200) throw new Error(`changing: ${answer.status} ${answer.text}`)
    return answer.body
  }
  const decide = (id: string, from: string, to: string, more: Json = {}) =>
    call('POST', `/v1/sites/default/comments/${id}/decisions`, {
      token: adminKey,
      // A comment that a test decides on has its first text, unless the test says otherwise.
      body: { from, to, ...(to === 'approved' && { revision: 1 }), ...more },
    })
  return { call, get, post, changeSite, decide }
}

/** Fails on a response that its operation does not declare: a status below 400, or an error code. */
const refuseUndeclared = (app: FastifyInstance): void => {
  app.addHook('onSend', async (request, reply, payload) => {
    const { config, schema } = request.routeOptions
    const { statusCode } = reply
    if (config?.operation === undefined || statusCode === 304) return
    const declared = (schema?.response ?? {}) as Json
    const what =
      statusCode < 400 || statusCode in declared ? statusCode : codeOf(statusCode, payload)
    const isDeclared = typeof what === 'number' ? what in declared : config.errors?.includes(what)
    if (!isDeclared) throw new Error(`${config.operation} does not declare ${what}`)
  })
}

/** The code of an error whose status belongs to it; else both, which no operation declares. */
const codeOf = (status: number, payload: unknown): RefusalCode => {
  const ofPage = /data-afterword-code="(\w+)"/.exec(String(payload))?.[1] as RefusalCode | undefined
  const code = ofPage ?? (JSON.parse(String(payload)) as { code: RefusalCode }).code
  return STATUS_OF[code] === status ? code : (`${status} ${code}` as RefusalCode)
}
