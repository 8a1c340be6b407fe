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
/** RFC 9211: it was remembered, and Postgres does not answer. */
const UNCONFIRMED = 'Afterword; hit; detail=unconfirmed'

/** A page of a list: `next` is the cursor of the one after it, or null. */
export const toPage = (etag: string, next: string | null, body: object): Page => ({
  etag,
  next,
  encoding: 'identity',
  bytes: Buffer.from(JSON.stringify(body)),
})

/** The tag of a page that has no version: a hash of what it says. */
export const toHashedPage = (next: string | null, body: object): Page => {
  const page = toPage('', next, body)
  const hash = createHash('sha256').update(page.bytes).digest('base64url')
  return { ...page, etag: `"${hash.slice(0, 22)}"` }
}

/** One more whenever the same rows would make other bytes. */
const PAGE_FORMAT = 4

/** Names everything that shapes a page's bytes, but for the thread and its version. */
export const variantOf = (
  { keys, version }: Pick<Http, 'keys' | 'version'>,
  site: Site,
  parts: readonly unknown[],
): string =>
  JSON.stringify([PAGE_FORMAT, RENDERER_VERSION, version, keys().id, site.version, ...parts])

/** The tag of a page of a thread: its version, and a hash of all else that shapes it. */
export const versionTag = (version: number, variant: string): string =>
  `"${version.toString(36)}-${createHash('sha256').update(variant).digest('base64url').slice(0, 12)}"`

const negotiator = new Negotiator({ supportedValues: [...ENCODINGS] })

/** The encoding that the reader takes and that is smallest. */
export const encodingOf = ({ headers }: FastifyRequest): Encoding => {
  const accepted = headers['accept-encoding']
  if (accepted === undefined) return 'identity'
  // `*` is whatever is not named: the library takes it for our best, even one that is refused.
  const named = String(accepted).trim() === '*' ? '*' : String(accepted).replace(/\*[^,]*/, '')
  return (negotiator.negotiate(named) as Encoding | null) ?? 'identity'
}

/** Answers a public read: 304 when the reader has it, and nothing to keep for a caller with a token. */
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

/** Answers what only this caller may see. */
export const sendPrivately = (reply: FastifyReply, body: unknown): FastifyReply =>
  reply.header('cache-control', PRIVATE).send(body)

/** An answer to a write, as it is remembered under its Idempotency-Key. */
export type WriteResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: object | null
  /** A guest who is given a token; the token itself is not remembered. */
  readonly newGuestId?: number
}

export const sendWrite = (
  reply: FastifyReply,
  { status, headers, body }: WriteResponse,
): FastifyReply => sendPrivately(reply.code(status).headers(headers), body ?? undefined)

/** Says which version of the thread shows the write. */
export const threadVersion = (version: number | undefined): Record<string, string> =>
  version === undefined ? {} : { 'thread-version': String(version) }

const nextUrl = (request: FastifyRequest, cursor: string): string => {
  // A base, because a request may also name the whole address; only its path is repeated.
  const { pathname, searchParams: params } = new URL(request.raw.url ?? '', 'http://localhost')
  params.set('cursor', cursor)
  params.delete('focus') // it only opens the first page
  return `${pathname}?${params.toString()}`
}

/** Weak comparison, as RFC 9110 asks of If-None-Match. */
const matches = (header = '', etag: string): boolean =>
  header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
