import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findSite } from '../../usecases/people/find-caller.ts'
import { hashNetwork, hashSubject, networkOf } from './addresses.ts'
import { addArticleIds } from './article-ids.ts'
import { identify, identifyKey, type PersonalCredential, readCredential } from './identity.ts'
import { addLimits, type Count, type LimitCounters, type LimitKind, limitOf } from './limits.ts'
import { addOrigins, assertOrigin } from './origins.ts'
import { type Http, isOfSite, isWrite, NOBODY, siteSlug } from './request-context.ts'
import type { SenderAddresses } from './sender-addresses.ts'

/** Each API key has this many times the quota of a person. */
const KEY_FACTOR = 100

/**
 * Runs before every handler: finds the site, applies its origins, counts the request and identifies the
 * caller. A member has a quota of their own; guests share the quota of their network, because anyone can
 * create any number of guests. Only API keys are looked up before the request is counted, so that other
 * callers over their limit cost no query.
 */
export const addRequestPipeline = async (
  app: FastifyInstance,
  http: Http,
  { counters, senders }: { counters: LimitCounters; senders: SenderAddresses },
): Promise<void> => {
  app.addHook('onRequest', (_request, _reply, done) => {
    http.keys()
    done()
  })
  await addOrigins(app, http)
  const count = await addLimits(app, counters)

  app.addHook('onRequest', async (request, reply) => {
    request.address = senders.read(request.raw)
    request.network = networkOf(request.address)
    await enter({ http, count, request, reply })
    if (!isOfSite(request)) return
    if (!request.routeOptions.config.isForm) assertOrigin(request)
    assertMayRead(request)
  })
  addArticleIds(app)
}

/** Refuses readers who are not members on a site that only members read. */
const assertMayRead = ({ routeOptions: { config }, site, caller }: FastifyRequest): void => {
  if (!config?.isReading || site.reading === 'anyone') return
  if (caller.kind === 'nobody' || caller.kind === 'guest') throw new Refusal('login_required')
}

type Entry = { http: Http; count: Count; request: FastifyRequest; reply: FastifyReply }

const enter = async (entry: Entry): Promise<void> => {
  const { http, request } = entry
  const site = isOfSite(request) ? await findSiteOf(http, request, 'recent') : null
  if (site === undefined) {
    await countNetwork(entry, null)
    throw new Refusal('not_found')
  }
  request.ids = http.context.idsOf(site?.id ?? null)
  request.site = site as Site
  // Nearly every read has no credential, and each promise that it saves is measurable.
  const { isForm } = request.routeOptions.config
  if (isForm || request.headers.authorization === undefined) return enterAsNobody(entry, site)
  const credential = await countingRefusals(entry, site, () => readCredential(http, request, site))
  if (credential.kind === 'stale_guest') return enterAsNobody(entry, site, STALE)
  if (credential.kind !== 'key') return enterAsPerson(entry, site!, credential)
  const find = () => identifyKey(http, credential.key, site)
  const holder = await countingRefusals(entry, site, find)
  const key = `key:${holder.keyId}`
  await countAs(entry, site, { key, factor: KEY_FACTOR })
  request.caller = holder
  request.site = await findCurrentSite(http, request, site)
}

/** Tells a client that its guest token is stale. The response is private, as all responses to requests with a token. */
const STALE = { 'guest-token': 'stale' }

const enterAsNobody = async (
  entry: Entry,
  site: Site | null,
  headers: Record<string, string> = {},
): Promise<void> => {
  const { http, request, reply } = entry
  reply.headers(headers)
  await countNetwork(entry, site)
  request.caller = NOBODY
  request.site = isWrite(request) ? await findCurrentSite(http, request, site) : (site as Site)
}

const enterAsPerson = async (
  entry: Entry,
  site: Site,
  credential: PersonalCredential,
): Promise<void> => {
  const { http, request, reply } = entry
  if (credential.kind === 'member') {
    const { subject } = credential.profile
    const key = hashSubject(http.keys().addresses, site.id, subject).toString('base64url')
    await countAs(entry, site, { key })
  } else await countNetwork(entry, site)
  request.site = await findCurrentSite(http, request, site)
  // If the site has changed since it was cached, its tokens can be invalid by now.
  const isStale = request.site.version !== site.version
  const now = isStale ? await readCredential(http, request, request.site) : credential
  const caller = await identify(http, now as PersonalCredential, request)
  if (caller.kind === 'stale_guest') reply.headers(STALE)
  request.caller = caller.kind === 'stale_guest' ? NOBODY : caller
}

const findSiteOf = (http: Http, request: FastifyRequest, freshness: 'recent' | 'fresh') => {
  const slug = siteSlug(request)
  return slug === undefined ? undefined : findSite(http.context, slug, freshness)
}

/** Loads the current site for a write. Null for a route without a site, see `isOfSite`. */
const findCurrentSite = async (
  http: Http,
  request: FastifyRequest,
  site: Site | null,
): Promise<Site> => {
  const found = site && isWrite(request) ? await findSiteOf(http, request, 'fresh') : site
  if (found === undefined) throw new Refusal('not_found')
  return found as Site
}

const countAs = (
  { http, count, request, reply }: Entry,
  site: Site | null,
  { key, factor = 1, kind = request.routeOptions.config.limit ?? 'read' }: Counting,
): Promise<void> => {
  const max = limitOf(http.limits, site, kind) * factor
  const scopedKey = site && kind !== 'read' ? `${site.id}:${key}` : key
  return count(request, reply, { kind, key: scopedKey, max })
}

type Counting = { key: string; factor?: number; kind?: LimitKind }

/** Reads are counted in this process alone; other keys can be stored in Redis, so the address is hashed. */
const countNetwork = (
  entry: Entry,
  site: Site | null,
  kind: LimitKind = entry.request.routeOptions.config.limit ?? 'read',
): Promise<void> => {
  const { request, http } = entry
  const { network } = request
  const key =
    kind === 'read' ? network : hashNetwork(http.keys().addresses, network).toString('base64url')
  return countAs(entry, site, { key, kind })
}

/** Counts a bad credential against the network, and also as an attempt to sign on. */
const countingRefusals = async <T>(
  entry: Entry,
  site: Site | null,
  attempt: () => Promise<T>,
): Promise<T> => {
  try {
    return await attempt()
  } catch (refusal) {
    await countNetwork(entry, site)
    const isBad = refusal instanceof Refusal && refusal.code === 'invalid_token'
    if (isBad) await countNetwork(entry, site, 'sign_on')
    throw refusal
  }
}
