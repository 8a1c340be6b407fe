import { createHash } from 'node:crypto'
import { Negotiator } from '@fastify/accept-negotiator'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { type Instant, instantOf } from '../../domain/instant.ts'
import { ENCODINGS, type Encoding, type Page, type ReadPage } from '../../domain/page-store.ts'
import { isForAllOrigins, type Site } from '../../domain/site/site.ts'
import { READABLE_BY_ALL } from './headers.ts'
import type { Http } from './request-context.ts'

const PUBLIC = 'public, max-age=0, must-revalidate'
const PRIVATE = 'private, no-store'
const JSON_TYPE = 'application/json; charset=utf-8'
const VARY = 'Origin, Accept-Encoding'
const FOR_ALL_ORIGINS = {
  ...READABLE_BY_ALL,
  vary: 'Accept-Encoding',
}
/** RFC 9211: the page is cached, and Postgres did not answer whether it is current. */
const UNCONFIRMED = 'Afterword; hit; detail=unconfirmed'

/** Makes a page of a list; `next` is the cursor of the next page, or null. */
export const toPage = (etag: string, next: string | null, body: object): Page => ({
  etag,
  next,
  encoding: 'identity',
  bytes: Buffer.from(JSON.stringify(body)),
})

/** Makes a page without a version, whose entity tag is a hash of its bytes. */
export const toHashedPage = (next: string | null, body: object): Page => {
  const page = toPage('', next, body)
  return { ...page, etag: `"${hashOf(page.bytes).slice(0, 22)}"` }
}

export const hashOf = (content: string | Buffer): string =>
  createHash('sha256').update(content).digest('base64url')

/** Must be raised by one when the same rows make other bytes. */
const PAGE_FORMAT = 6

/**
 * Names everything that shapes the bytes of a page, except the thread and its version. A hash, because each read looks
 * its page up by this name, and the parts are long.
 */
export const variantOf = (
  { keys, version, publicUrl }: Pick<Http, 'keys' | 'version' | 'publicUrl'>,
  site: Site,
  parts: readonly unknown[],
): string =>
  hashOf(
    JSON.stringify([
      PAGE_FORMAT,
      RENDERER_VERSION,
      version,
      keys().id,
      publicUrl,
      site.version,
      ...parts,
    ]),
  )

/** The entity tag of a page of a thread: the version, and a hash of everything else that shapes it. */
export const versionTag = (version: number, variant: string): string =>
  `"${version.toString(36)}-${hashOf(variant).slice(0, 12)}"`

/** Negotiations by header. Browsers send a handful of values. */
const negotiated = new LRUCache<string, Encoding>({ max: 200 })
const MAX_KNOWN_LENGTH = 100
const negotiator = new Negotiator({ supportedValues: [...ENCODINGS] })

/** The smallest encoding that the client accepts. */
export const encodingOf = ({ headers }: Pick<FastifyRequest, 'headers'>): Encoding => {
  const accepted = headers['accept-encoding']
  if (accepted === undefined) return 'identity'
  const known = negotiated.get(String(accepted))
  if (known) return known
  const encoding = negotiate(String(accepted))
  if (accepted.length <= MAX_KNOWN_LENGTH) negotiated.set(String(accepted), encoding)
  return encoding
}

const negotiate = (accepted: string): Encoding => {
  // The library takes `*` for the best encoding, even if the client refuses that one.
  const named = accepted.trim() === '*' ? '*' : accepted.replace(/\*[^,]*/, '')
  return (negotiator.negotiate(named) as Encoding | null) ?? 'identity'
}

/** Sends the page that `read` returns, and lets a known request read it again. */
export const sendRead = async (
  request: FastifyRequest,
  reply: FastifyReply,
  read: ReadPage,
): Promise<FastifyReply> => {
  const page = await read(encodingOf(request))
  request.read = read
  return sendPage(request, reply, page)
}

/**
 * Sends a public read: 304 if the client has the page. A response to a request with a credential is private, also if
 * the service ignores the credential.
 * @param more headers besides, or instead of, those of a list
 */
export const sendPage = (
  request: FastifyRequest,
  reply: FastifyReply,
  page: Page,
  more: Record<string, string> = {},
): FastifyReply => {
  const link = linkOf(request.ids.service, request.raw.url!, page)
  const { status, headers, body } =
    request.caller.kind === 'nobody' && request.headers.authorization === undefined
      ? toPublic(page, { site: request.site, link, condition: request.headers['if-none-match'] })
      : toPrivate(page, link)
  return reply.code(status).headers(headers).headers(more).send(body)
}

export type PageResponse = {
  readonly status: 200 | 304
  readonly headers: Record<string, string>
  readonly body: Buffer | undefined
}

type PublicRead = {
  readonly site: Site
  readonly link: string | undefined
  /** The header If-None-Match. */
  readonly condition: string | undefined
}

/**
 * A response that is the same for all readers. On a site for all origins it does not depend on the origin either, so
 * that shared caches keep one copy.
 */
export const toPublic = (page: Page, { site, link, condition }: PublicRead): PageResponse => {
  const headers = headersOf(page, link, PUBLIC)
  headers.etag = page.etag
  headers['timing-allow-origin'] = '*'
  if (isForAllOrigins(site)) Object.assign(headers, FOR_ALL_ORIGINS)
  if (condition !== undefined && matches(condition, page.etag))
    return { status: 304, headers, body: undefined }
  return withBody(page, headers)
}

const toPrivate = (page: Page, link: string | undefined): PageResponse =>
  withBody(page, headersOf(page, link, PRIVATE))

const headersOf = (page: Page, link: string | undefined, cacheControl: string) => {
  const headers: Record<string, string> = { vary: VARY, 'cache-control': cacheControl }
  if (link !== undefined) headers.link = link
  if (page.isUnconfirmed) headers['cache-status'] = UNCONFIRMED
  return headers
}

const withBody = (page: Page, headers: Record<string, string>): PageResponse => {
  if (page.encoding !== 'identity') headers['content-encoding'] = page.encoding
  headers['content-type'] = JSON_TYPE
  return { status: 200, headers, body: page.bytes }
}

/** Makes a page of HTML, whose entity tag is a hash of its bytes. */
export const toHtmlPage = (text: string): Page => {
  const bytes = Buffer.from(text)
  const etag = `"${hashOf(bytes).slice(0, 22)}"`
  return { etag, next: null, encoding: 'identity', bytes }
}

export const unconfirmed = (page: Page): Page => ({ ...page, isUnconfirmed: true })

/** Sends data that only this caller may see. */
export const sendPrivately = (reply: FastifyReply, body: unknown): FastifyReply =>
  reply.header('cache-control', PRIVATE).send(body)

/** The response to a write, as it is stored under its Idempotency-Key. */
export type WriteResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: object | null
  /** A guest who gets a token with the response; the token itself is not stored. */
  readonly newGuestId?: number
}

export const sendWrite = (
  reply: FastifyReply,
  { status, headers, body }: WriteResponse,
): FastifyReply => sendPrivately(reply.code(status).headers(headers), body ?? undefined)

/** The time to compare with other times of a response. A page that readers share has none. */
export const now = (): Instant => instantOf(Date.now())

/** The header with the first version of the thread that shows the write. */
export const threadVersion = (version: number | undefined): Record<string, string> =>
  version === undefined ? {} : { 'thread-version': String(version) }

/** Proxies and clients refuse long headers, so that a longer path stays relative to the address of the request. */
export const MAX_PATH_IN_HEADER = 2_000
const MAX_LINK_LENGTH = 8_000

/** The Link header with the next page of a target; undefined on the last page, and if parameters make it too long. */
export const linkOf = (service: string, target: string, { next }: Page): string | undefined => {
  if (next === null) return undefined
  // The base is not used if the request has an absolute URL; only the path is returned.
  const { pathname, searchParams: params } = new URL(target, 'http://localhost')
  params.set('cursor', next)
  for (const ofFirstPage of ['focus', 'include']) params.delete(ofFirstPage)
  const path = pathname.length > MAX_PATH_IN_HEADER ? '' : service + pathname
  const link = `<${path}?${params.toString()}>; rel="next"`
  return link.length > MAX_LINK_LENGTH ? undefined : link
}

/** Weak comparison, as RFC 9110 requires for If-None-Match. */
export const matches = (header: string, etag: string): boolean =>
  header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
