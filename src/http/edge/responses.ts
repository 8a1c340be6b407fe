import { createHash } from 'node:crypto'
import { Negotiator } from '@fastify/accept-negotiator'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { ENCODINGS, type Encoding, type Page } from '../../domain/page-store.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Http } from './request-context.ts'

const PUBLIC = 'public, max-age=0, must-revalidate'
const PRIVATE = 'private, no-store'
const JSON_TYPE = 'application/json; charset=utf-8'
const VARY = 'Origin, Accept-Encoding'
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
  const hash = createHash('sha256').update(page.bytes).digest('base64url')
  return { ...page, etag: `"${hash.slice(0, 22)}"` }
}

/** Must be raised by one when the same rows make other bytes. */
const PAGE_FORMAT = 5

/** Names everything that shapes the bytes of a page, except the thread and its version. */
export const variantOf = (
  { keys, version }: Pick<Http, 'keys' | 'version'>,
  site: Site,
  parts: readonly unknown[],
): string =>
  JSON.stringify([PAGE_FORMAT, RENDERER_VERSION, version, keys().id, site.version, ...parts])

/** The entity tag of a page of a thread: the version, and a hash of everything else that shapes it. */
export const versionTag = (version: number, variant: string): string =>
  `"${version.toString(36)}-${createHash('sha256').update(variant).digest('base64url').slice(0, 12)}"`

const negotiator = new Negotiator({ supportedValues: [...ENCODINGS] })

/** The smallest encoding that the client accepts. */
export const encodingOf = ({ headers }: FastifyRequest): Encoding => {
  const accepted = headers['accept-encoding']
  if (accepted === undefined) return 'identity'
  // The library takes `*` for the best encoding, even if the client refuses that one.
  const named = String(accepted).trim() === '*' ? '*' : String(accepted).replace(/\*[^,]*/, '')
  return (negotiator.negotiate(named) as Encoding | null) ?? 'identity'
}

/** Sends a public read: 304 if the client has the page. A response to a caller with a token is private. */
export const sendPage = (
  request: FastifyRequest,
  reply: FastifyReply,
  page: Page,
): FastifyReply => {
  if (page.next !== null) reply.header('link', `<${nextUrl(request, page.next)}>; rel="next"`)
  if (page.isUnconfirmed) reply.header('cache-status', UNCONFIRMED)
  reply.header('vary', VARY)
  if (request.caller.kind !== 'nobody') {
    reply.header('cache-control', PRIVATE)
  } else {
    reply.header('cache-control', PUBLIC).header('etag', page.etag)
    if (matches(request.headers['if-none-match'], page.etag)) return reply.code(304).send()
  }
  if (page.encoding !== 'identity') reply.header('content-encoding', page.encoding)
  return reply.header('content-type', JSON_TYPE).send(page.bytes)
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

/** The header with the first version of the thread that shows the write. */
export const threadVersion = (version: number | undefined): Record<string, string> =>
  version === undefined ? {} : { 'thread-version': String(version) }

const nextUrl = (request: FastifyRequest, cursor: string): string => {
  // The base is not used if the request has an absolute URL; only the path is returned.
  const { pathname, searchParams: params } = new URL(request.raw.url ?? '', 'http://localhost')
  params.set('cursor', cursor)
  params.delete('focus') // it applies to the first page only
  return `${pathname}?${params.toString()}`
}

/** Weak comparison, as RFC 9110 requires for If-None-Match. */
const matches = (header = '', etag: string): boolean =>
  header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
