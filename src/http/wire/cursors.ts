import { createCipheriv, createDecipheriv } from 'node:crypto'
import { type Position, SORTS, type Sort } from '../../domain/comment/sort.ts'
import { Refusal } from '../../domain/refusal.ts'
import { type CursorKey, isSignature, sign } from './keys.ts'

const NONCE_BYTES = 16
const CIPHER = 'aes-256-ctr'
/** Targets take whole steps, so that a length does not tell how many digits a number has. */
const STEP_BYTES = 64
const MAX_LENGTH = 6_000

/** The identity of a list: its family, site, subject and filters, but not its limits. */
export type Binding = readonly unknown[]

/** The content of a cursor: a sort, and a position in it. Null for the start of the list. */
export type CursorTarget = { readonly sort: string; readonly after: Position | null }

/**
 * base64url of a signature over binding and target, then the encrypted target: `[sort, key, id]`. The
 * signature is also the nonce, so that the same page has the same bytes.
 */
export const writeCursor = (
  key: CursorKey,
  binding: Binding,
  { sort, after }: CursorTarget,
): string => {
  const target = pad(JSON.stringify([sort, ...(after ?? [])]))
  const nonce = sign(key.signing, signedText(binding, target), NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key.encryption, nonce)
  return Buffer.concat([nonce, cipher.update(target)]).toString('base64url')
}

/** Reads a cursor. Refuses one that `writeCursor` did not write for this list with `invalid_cursor`. */
export const readCursor = (key: CursorKey, binding: Binding, cursor: string): CursorTarget => {
  const bytes = Buffer.from(cursor.slice(0, MAX_LENGTH), 'base64url')
  const nonce = bytes.subarray(0, NONCE_BYTES)
  if (nonce.length < NONCE_BYTES || bytes.toString('base64url') !== cursor)
    throw new Refusal('invalid_cursor')
  const decipher = createDecipheriv(CIPHER, key.encryption, nonce)
  const target = decipher.update(bytes.subarray(NONCE_BYTES)).toString()
  if (!isSignature(key.signing, signedText(binding, target), nonce))
    throw new Refusal('invalid_cursor')
  const [sort, ...position] = JSON.parse(target)
  return { sort, after: position.length === 2 ? position : null }
}

const signedText = (binding: Binding, target: string): string =>
  `${JSON.stringify(binding)}\n${target}`

const pad = (target: string): string => {
  const bytes = Buffer.byteLength(target)
  return target + ' '.repeat(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES - bytes)
}

/** The last id of the page before. Null at the start of the list. */
export const readIdCursor = (
  key: CursorKey,
  binding: Binding,
  cursor: string | undefined,
): number | null =>
  cursor === undefined ? null : (readCursor(key, binding, cursor).after?.[1] ?? null)

export const writeIdCursor = (
  key: CursorKey,
  binding: Binding,
  id: number | null,
): string | null => (id === null ? null : writeCursor(key, binding, { sort: '', after: [0, id] }))

/**
 * Reads the sort and the position of a request. The sort must be one of the site's; without one, the site's
 * first applies. A cursor contains its sort, and a sort beside it must be the same.
 */
export const readSortedCursor = (
  key: CursorKey,
  binding: Binding,
  { sort, sorts, cursor }: SortedRequest,
): { sort: Sort; after: Position | null } => {
  if (sort !== undefined && !sorts.includes(sort))
    throw new Refusal('invalid_request', { sort: `must be one of ${sorts.join(', ')}` })
  if (cursor === undefined) return { sort: sort ?? sorts[0]!, after: null }
  const target = readCursor(key, binding, cursor)
  if (sort !== undefined && target.sort !== sort) throw new Refusal('invalid_cursor')
  return { sort: SORTS.find((known) => known === target.sort)!, after: target.after }
}

type SortedRequest = {
  readonly sort?: Sort | undefined
  readonly sorts: readonly Sort[]
  readonly cursor?: string | undefined
}
