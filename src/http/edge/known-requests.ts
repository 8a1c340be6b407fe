import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { atMost } from '../../domain/at-most.ts'
import type { Page, ReadPage } from '../../domain/page-store.ts'
import type { Site } from '../../domain/site/site.ts'
import { SECURITY_HEADERS } from './headers.ts'
import { type CountedRead, countRead, type LimitCounters } from './limits.ts'
import { mayOriginRead, originHeaders } from './origins.ts'
import { type Http, siteSlug } from './request-context.ts'
import { encodingOf, linkOf, type PageResponse, toPublic } from './responses.ts'
import type { Proxies } from './sender-addresses.ts'
import { countHosts } from './strict-parsing.ts'

/**
 * The short way of a repeated read. The router, the validation and the hooks derive the same values from every
 * request with the same target, so this file remembers the values and how the route reads its page. Reading
 * still asks for the cache token, the limit still counts the request, and the line is still logged. Every
 * other request takes the long way, and so does a known request that fails or exceeds the limit.
 * The service works the same without this file, only slower.
 */

/** The values that the long way derived from a target. */
type Known = {
  readonly slug: string
  readonly siteId: number
  /** Every change of the site's settings raises it. */
  readonly siteVersion: number
  readonly operation: string
  readonly read: ReadPage
  /** The latest answer with each page: most requests for a page get the same headers. */
  readonly answers: WeakMap<Page, Answer>
}

/** A response, and the parts of its request that shape it. */
type Answer = Pick<PageResponse, 'status' | 'body'> & {
  readonly method: string | undefined
  readonly origin: string | undefined
  readonly condition: string | undefined
  /** Names and values in turn. */
  readonly headers: readonly string[]
}

type Found = { readonly known: Known; readonly site: Site; readonly network: string }

type Listener = (raw: IncomingMessage, response: ServerResponse) => void

export type Recorded = {
  readonly operation: string
  readonly site: string
  readonly status: number
  readonly elapsedMs: number
}

type Options = Http & {
  readonly counters: LimitCounters
  readonly proxies: Proxies
  /** Logs and measures a request that took the short way. */
  readonly record: (request: Recorded) => void
}

/** Anyone can invent targets and networks, so what is remembered of them is bounded. */
const MAX_BYTES = 8_388_608
const OVERHEAD_BYTES = 2_048
/** The parsed parameters, the page's name and the Link header contain the target again. */
const COPIES = 6
const MAX_NETWORKS = 20_000
const MAX_SENDER_LENGTH = 200
/** Of the origin and the condition of an answer that is remembered. */
const MAX_ASKED_LENGTH = 300

/** Remembers the public reads of an app, and answers them when they are repeated. */
export const addKnownRequests = (app: FastifyInstance, options: Options): void => {
  const { counters, limits, record, publicUrl } = options
  const findKnown = rememberRequests(app, options)
  const takeLongWay = app.server.listeners('request')[0] as Listener
  const failures = new WeakMap<IncomingMessage, Error>()

  const takeShortWay: ShortWay = async (found, raw, response) => {
    const { known, network, site } = found
    const begun = performance.now()
    let page: Page
    try {
      page = await known.read(encodingOf(raw))
    } catch (error) {
      failures.set(raw, error as Error)
      return takeLongWay(raw, response)
    }
    const counted = await countRead(counters, limits, network)
    // The long way counts a refused request again, which changes neither the refusal nor its end.
    if (counted.isExceeded) return takeLongWay(raw, response)
    const place = counted.headers
    const { status, headers, body } = answerTo(raw, found, { page, publicUrl, place })
    const { operation } = known
    const onEnd = () =>
      record({ operation, site: site.slug, status, elapsedMs: performance.now() - begun })
    response.on('finish', onEnd).on('error', onEnd)
    response.writeHead(status, withPlace(headers, place))
    response.end(body)
  }

  app.server.off('request', takeLongWay)
  app.server.on('request', (raw: IncomingMessage, response: ServerResponse) => {
    const found = findKnown(raw)
    if (found) void takeShortWay(found, raw, response)
    else takeLongWay(raw, response)
  })
  // A failed read is not repeated: it has used its time.
  app.addHook('preHandler', ({ raw }, _reply, done) => done(failures.get(raw)))
}

type ShortWay = (found: Found, raw: IncomingMessage, response: ServerResponse) => Promise<void>

/** The headers with the place of a request in the limit. */
type Place = CountedRead['headers']
type Read = { readonly page: Page; readonly publicUrl: string; readonly place: Place }

const answerTo = (raw: IncomingMessage, found: Found, read: Read): Answer => {
  const { method } = raw
  const { origin, 'if-none-match': condition } = raw.headers
  const latest = found.known.answers.get(read.page)
  const isSame = latest?.method === method && latest?.origin === origin
  if (latest && isSame && latest.condition === condition) return latest
  const answer = { method, origin, condition, ...createAnswer(raw, found, read) }
  const isShort = `${origin}${condition}`.length <= MAX_ASKED_LENGTH
  if (isShort) found.known.answers.set(read.page, answer)
  return answer
}

const createAnswer = (
  { method, url, headers: asked }: IncomingMessage,
  { site }: Found,
  { page, publicUrl, place }: Read,
) => {
  const { status, headers, body } = toPublic(page, {
    site,
    link: linkOf(publicUrl, url!, page),
    condition: asked['if-none-match'],
  })
  const isHead = method === 'HEAD'
  // The framework adds a length to every response to HEAD, also to a 304.
  if (body || isHead) headers['content-length'] = String(body?.length ?? 0)
  const all = { ...SECURITY_HEADERS, ...originHeaders(site, asked.origin), ...place, ...headers }
  return { status, headers: Object.entries(all).flat(), body: isHead ? undefined : body }
}

/** Only the place of the request in the limit differs between two answers with the same page. */
const withPlace = (headers: readonly string[], { ratelimit }: Place): string[] =>
  ratelimit === undefined ? [...headers] : headers.with(headers.indexOf('ratelimit') + 1, ratelimit)

/** Remembers the requests that take the long way. @returns the function that finds what is known of a request */
const rememberRequests = (app: FastifyInstance, { context, proxies }: Options) => {
  const requests = new LRUCache<string, Known>({
    maxSize: MAX_BYTES,
    sizeCalculation: (_known, target) => target.length * COPIES + OVERHEAD_BYTES,
  })
  const networks = new LRUCache<string, string>(atMost(MAX_NETWORKS))

  app.addHook('onResponse', (request, reply, done) => {
    const { raw, network, site, caller, read } = request
    const sender = senderOf(raw, proxies)
    if (network !== '' && sender.length <= MAX_SENDER_LENGTH) networks.set(sender, network)
    const isPublic = read !== null && caller.kind === 'nobody' && reply.statusCode < 400
    if (isPublic && isPlain(raw)) {
      requests.set(raw.url!, {
        slug: siteSlug(request)!,
        siteId: site.id,
        siteVersion: site.version,
        operation: request.routeOptions.config.operation!,
        read,
        answers: new WeakMap(),
      })
    }
    done()
  })

  return (raw: IncomingMessage): Found | undefined => {
    const known = requests.get(raw.url!)
    if (!known || !isPlain(raw)) return undefined
    const site = context.sites.findRecent(known.slug)
    if (site?.id !== known.siteId || site.version !== known.siteVersion) return undefined
    if (!mayOriginRead(site, raw.headers.origin)) return undefined
    const network = networks.get(senderOf(raw, proxies))
    return network === undefined ? undefined : { known, site, network }
  }
}

/** Without a body, or a header that the short way does not read and that can change the response. */
const isPlain = (raw: IncomingMessage): boolean => {
  const { headers } = raw
  return (
    (raw.method === 'GET' || raw.method === 'HEAD') &&
    raw.httpVersion === '1.1' &&
    headers.authorization === undefined &&
    headers.origin !== '' &&
    headers['content-length'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    countHosts(raw) === 1
  )
}

/** Names everything that the sender's network is derived from. */
const senderOf = ({ socket, headers }: IncomingMessage, { header }: Proxies): string => {
  const forwarded = headers[header]
  const address = socket.remoteAddress ?? ''
  return forwarded === undefined ? address : `${address} ${String(forwarded)}`
}
