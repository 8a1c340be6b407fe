import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Page } from '../../domain/page-store.ts'
import type { WireKeys } from '../wire/keys.ts'

const PUBLIC = 'public, max-age=0, must-revalidate'
const PRIVATE = 'private, no-store'
const JSON_TYPE = 'application/json; charset=utf-8'

/** A page of a list: `next` is the cursor of the one after it, or null. */
export const toPage = (etag: string, next: string | null, body: object): Page => ({
  etag,
  next,
  bytes: Buffer.from(JSON.stringify(body)),
})

/** The tag of a page that has no version: a hash of what it says. */
export const toHashedPage = (next: string | null, body: object): Page => {
  const bytes = Buffer.from(JSON.stringify(body))
  return {
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    next,
    bytes,
  }
}

/** One more whenever the same rows would make other bytes. */
const PAGE_FORMAT = 1

/** Names everything that shapes a page's bytes, but for the thread and its version. */
export const variantOf = (keys: WireKeys, parts: readonly unknown[]): string =>
  JSON.stringify([PAGE_FORMAT, keys.id, ...parts])

/** The tag of a page of a thread: its version, and a hash of all else that shapes it. */
export const versionTag = (version: number, variant: string): string =>
  `"${version.toString(36)}-${createHash('sha256').update(variant).digest('base64url').slice(0, 12)}"`

/** Answers a public read: 304 when the reader has it, and nothing to keep for a caller with a token. */
export const sendPage = (
  request: FastifyRequest,
  reply: FastifyReply,
  page: Page,
): FastifyReply => {
  if (page.next !== null) reply.header('link', `<${nextUrl(request, page.next)}>; rel="next"`)
  reply.header('content-type', JSON_TYPE)
  if (request.caller.kind !== 'nobody')
    return reply.header('cache-control', PRIVATE).send(page.bytes)
  reply.header('cache-control', PUBLIC).header('etag', page.etag)
  if (matches(request.headers['if-none-match'], page.etag)) return reply.code(304).send()
  return reply.send(page.bytes)
}

/** Answers what only this caller may see. */
export const sendPrivately = (reply: FastifyReply, body: unknown): FastifyReply =>
  reply.header('cache-control', PRIVATE).send(body)

/** An answer to a write, as it is remembered under its Idempotency-Key. */
export type WriteAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: object | null
  /** A guest who is given a token; the token itself is not remembered. */
  readonly newGuestId?: number
}

export const sendWrite = (
  reply: FastifyReply,
  { status, headers, body }: WriteAnswer,
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
