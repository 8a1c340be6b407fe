import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import type { Place } from '../../domain/comment/place.ts'
import { type Position, SORTS, type Sort } from '../../domain/comment/sort.ts'
import { Refusal } from '../../domain/refusal.ts'
import { packIds, unpackIds } from './id-sets.ts'
import { type CursorKeys, isSignature, sign } from './keys.ts'

const NONCE_BYTES = 16
const CIPHER = 'aes-256-ctr'
/** Targets take whole steps, so that a length does not tell how many digits a number has. */
const STEP_BYTES = 64
const MAX_LENGTH = 6_000

/** The identity of a list: its family, site, subject and filters, but not its limits. */
export type Binding = readonly unknown[]

/** The content of a cursor: a sort, and a position in it. Null for the start of the list. */
export type CursorTarget = {
  readonly sort: string
  readonly after: Position | null
  /** Ids of comments that the pages before have shown, in any order. */
  readonly shown?: readonly number[]
}

/**
 * base64url of a signature over binding and target, then the encrypted target: `[sort, key, id, shown]`,
 * without its missing parts. The signature is also the nonce, so that the same page has the same bytes.
 */
export const writeCursor = (
  keys: CursorKeys,
  binding: Binding,
  { sort, after, shown = [] }: CursorTarget,
): string => {
  const target = pad(
    JSON.stringify([sort, ...(after ?? []), ...(shown.length > 0 ? [packIds(shown)] : [])]),
  )
  const nonce = sign(keys.signing, signedText(binding, target), NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, keys.encryption[0], nonce)
  return Buffer.concat([nonce, cipher.update(target)]).toString('base64url')
}

/** Reads a cursor. Refuses one that `writeCursor` did not write for this list with `invalid_cursor`. */
export const readCursor = (keys: CursorKeys, binding: Binding, cursor: string): CursorTarget => {
  const bytes = Buffer.from(cursor.slice(0, MAX_LENGTH), 'base64url')
  const nonce = bytes.subarray(0, NONCE_BYTES)
  if (nonce.length < NONCE_BYTES || bytes.toString('base64url') !== cursor)
    throw new Refusal('invalid_cursor')
  const target = keys.encryption
    .map((key) => createDecipheriv(CIPHER, key, nonce))
    .map((decipher) => decipher.update(bytes.subarray(NONCE_BYTES)).toString())
    .find((text) => isSignature(keys.signing, signedText(binding, text), nonce))
  if (target === undefined) throw new Refusal('invalid_cursor')
  const [sort, ...rest] = JSON.parse(target)
  const shown = typeof rest.at(-1) === 'string' ? unpackIds(rest.pop()) : []
  return { sort, after: rest.length === 2 ? rest : null, shown }
}

const signedText = (binding: Binding, target: string): string =>
  `${JSON.stringify(binding)}\n${target}`

const pad = (target: string): string => {
  const bytes = Buffer.byteLength(target)
  return target + ' '.repeat(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES - bytes)
}

/** The last id of the page before. Null at the start of the list. */
export const readIdCursor = (
  keys: CursorKeys,
  binding: Binding,
  cursor: string | undefined,
): number | null =>
  cursor === undefined ? null : (readCursor(keys, binding, cursor).after?.[1] ?? null)

export const writeIdCursor = (
  keys: CursorKeys,
  binding: Binding,
  id: number | null,
): string | null => (id === null ? null : writeCursor(keys, binding, { sort: '', after: [0, id] }))

/**
 * Reads the sort and the position of a request. The sort must be one of the site's; without one, the site's
 * first applies. A cursor contains its sort, and a sort beside it must be the same.
 */
export const readSortedCursor = (
  keys: CursorKeys,
  binding: Binding,
  { sort, sorts, cursor }: SortedRequest,
): { sort: Sort; after: Place | null } => {
  if (sort !== undefined && !sorts.includes(sort))
    throw new Refusal('invalid_request', { sort: `must be one of ${sorts.join(', ')}` })
  if (cursor === undefined) return { sort: sort ?? sorts[0]!, after: null }
  const target = readCursor(keys, binding, cursor)
  if (sort !== undefined && target.sort !== sort) throw new Refusal('invalid_cursor')
  const { after: position, shown = [] } = target
  const after = position || shown.length > 0 ? { position, shown } : null
  return { sort: SORTS.find((known) => known === target.sort)!, after }
}

/** Writes a cursor in a list of comments. */
export const writeSortedCursor = (
  keys: CursorKeys,
  binding: Binding,
  { sort, after }: { sort: Sort; after: Place | null },
): string =>
  writeCursor(keys, binding, { sort, after: after?.position ?? null, shown: after?.shown ?? [] })

/** Names a place in a few bytes, for the name of a cached page. */
export const nameOfPlace = (place: Place | null): unknown =>
  place && place.shown.length > 0
    ? [place.position, createHash('sha256').update(packIds(place.shown)).digest('base64url')]
    : place?.position

type SortedRequest = {
  readonly sort?: Sort | undefined
  readonly sorts: readonly Sort[]
  readonly cursor?: string | undefined
}

/** Writes a snapshot of the database, in which a moderator saw comments of a site. */
export const writeSnapshot = (keys: CursorKeys, siteId: number, snapshot: string): string =>
  writeCursor(keys, ['snapshot', siteId], { sort: snapshot, after: null })

/** Reads a snapshot. Refuses one of another site with `invalid_cursor`. */
export const readSnapshot = (keys: CursorKeys, siteId: number, text: string): string =>
  readCursor(keys, ['snapshot', siteId], text).sort
