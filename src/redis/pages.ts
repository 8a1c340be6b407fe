import { createHash } from 'node:crypto'
import {
  ENCODINGS,
  type Encoding,
  type Page,
  type PageName,
  type PageStore,
} from '../domain/page-store.ts'
import { type RedisBreaker, withTimeout } from './breaker.ts'
import type { RedisClient } from './client.ts'

/** A node can keep a page as long again in memory; erasure allows 600 s in all. */
const LIFETIME_SECONDS = 290
const MAX_VARIANT_CHARACTERS = 64

/** A frame begins with a mark, which other values lack, and the lengths of its head and of its bytes. */
const MARK = 0xaf03
const LENGTHS_BYTES = 8

/** Pages in Redis for all nodes, kept for 290 s. The pages of a thread are in one slot. */
export const createRedisPages = (redis: RedisClient, breaker: RedisBreaker): PageStore => ({
  find: async (name, encoding) => {
    const frame = await breaker(() => withTimeout(redis.getBuffer(keyOf(name, encoding))))
    return frame ? readFrame(frame) : undefined
  },
  insert: async (name, page) => {
    const frame = writeFrame(page)
    const key = keyOf(name, page.encoding)
    await breaker(() => withTimeout(redis.set(key, frame, 'EX', LIFETIME_SECONDS)))
  },
})

const keyOf = ({ site, thread, version, variant }: PageName, encoding: Encoding): string =>
  `{${site}:${thread}}p:${version}:${encoding}:${shortVariant(variant)}`

const shortVariant = (variant: string): string =>
  variant.length <= MAX_VARIANT_CHARACTERS
    ? variant
    : `sha256-${createHash('sha256').update(variant).digest('base64url')}`

const writeFrame = ({ etag, next, encoding, bytes }: Page): Buffer => {
  const head = Buffer.from(JSON.stringify([etag, next, encoding]))
  const lengths = Buffer.alloc(LENGTHS_BYTES)
  lengths.writeUInt16BE(MARK, 0)
  lengths.writeUInt16BE(head.length, 2)
  lengths.writeUInt32BE(bytes.length, 4)
  return Buffer.concat([lengths, head, bytes])
}

/**
 * Undefined if the value is not a complete frame. The bytes are copied, because a slice keeps the whole
 * network buffer in memory, which no byte budget counts.
 */
const readFrame = (frame: Buffer): Page | undefined => {
  if (frame.length < LENGTHS_BYTES || frame.readUInt16BE(0) !== MARK) return undefined
  const bodyAt = LENGTHS_BYTES + frame.readUInt16BE(2)
  if (frame.length !== bodyAt + frame.readUInt32BE(4)) return undefined
  const head = readHead(frame.toString('utf8', LENGTHS_BYTES, bodyAt))
  return head && { ...head, bytes: Buffer.from(frame.subarray(bodyAt)) }
}

/** Validates the head, because other programs can have written it and its parts become headers. */
const readHead = (text: string): Omit<Page, 'bytes'> | undefined => {
  try {
    const [etag, next, encoding] = JSON.parse(text)
    const isTag = typeof etag === 'string' && /^"[!#-~\x80-\xff]*"$/.test(etag)
    const isCursor = next === null || (typeof next === 'string' && /^[\w-]+$/.test(next))
    const isEncoding = ENCODINGS.includes(encoding)
    return isTag && isCursor && isEncoding ? { etag, next, encoding } : undefined
  } catch {
    return undefined
  }
}
