import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { LRUCache } from 'lru-cache'
import { atMost } from '../../domain/at-most.ts'
import type { Page, ReadPage } from '../../domain/page-store.ts'
import type { Site } from '../../domain/site/site.ts'
import { SECURITY_HEADERS } from './headers.ts'
import { countRead, type LimitCounters } from './limits.ts'
import { mayOriginRead, originHeaders } from './origins.ts'
import { type Http, siteSlug } from './request-context.ts'
import { encodingOf, linkOf, toPublic } from './responses.ts'
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
  /** The cursor of the next page and the Link header made of it, from the latest response. */
  next: string | null
  link: string | undefined
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

/** Remembers the public reads of an app, and answers them when they are repeated. */
export const addKnownRequests = (app: FastifyInstance, options: Options): void => {
  const { counters, limits, record, publicUrl } = options
  const findKnown = rememberRequests(app, options)
  const takeLongWay = app.server.listeners('request')[0] as Listener
  const failures = new WeakMap<IncomingMessage, Error>()

  const takeShortWay: ShortWay = async ({ known, network, site }, raw, response) => {
    const begun = performance.now()
    let page: Page
    try {
      page = await known.read(encodingOf(raw))
    } catch (error) {
      failures.set(raw, error as Error)
      return takeLongWay(raw, response)
    }
    const counted = countRead(counters, limits, network)
    // The long way counts a refused request again, which changes neither the refusal nor its end.
    if (counted.isExceeded) return takeLongWay(raw, response)
    const { status, headers, body } = toPublic(page, {
      site,
      link: linkOfNext(publicUrl, known, raw.url!, page),
      condition: raw.headers['if-none-match'],
    })
    const isHead = raw.method === 'HEAD'
    // The framework adds a length to every response to HEAD, also to a 304.
    if (body || isHead) headers['content-length'] = String(body?.length ?? 0)
    const shared = originHeaders(site, raw.headers.origin)
    const { operation } = known
    const onEnd = () =>
      record({ operation, site: site.slug, status, elapsedMs: performance.now() - begun })
    response.on('finish', onEnd).on('error', onEnd)
    const earlier = { ...SECURITY_HEADERS, ...shared, ...counted.headers }
    response.writeHead(status, toLines(earlier, headers))
    response.end(isHead ? undefined : body)
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

type Headers = Readonly<Record<string, string>>

/**
 * Lists names and values, which Node writes faster than an object. A header of the page takes the place of an earlier
 * one with its name.
 */
const toLines = (earlier: Headers, ofPage: Headers): string[] => {
  const lines: string[] = []
  for (const name in earlier) lines.push(name, ofPage[name] ?? earlier[name]!)
  for (const name in ofPage) if (!(name in earlier)) lines.push(name, ofPage[name]!)
  return lines
}

const linkOfNext = (
  publicUrl: string,
  known: Known,
  target: string,
  page: Page,
): string | undefined => {
  if (known.next !== page.next) {
    known.next = page.next
    known.link = linkOf(publicUrl, target, page)
  }
  return known.link
}

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
        next: null,
        link: undefined,
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
