import type { KeyObject } from 'node:crypto'
import { type Position, SORTS, type Sort } from '../../domain/comment/sort.ts'
import { Refusal } from '../../domain/refusal.ts'
import { isSignature, sign } from './keys.ts'

const SIGNATURE_BYTES = 12
const MAX_LENGTH = 300

/** The identity of a list: its family, site, subject and filters, but not its limits. */
export type Binding = readonly unknown[]

/** The content of a cursor: a sort, and a position in it. Null for the start of the list. */
export type CursorTarget = { readonly sort: string; readonly after: Position | null }

/** base64url of a signature over binding and target, then the target: `[sort, key, id]`. */
export const writeCursor = (
  key: KeyObject,
  binding: Binding,
  { sort, after }: CursorTarget,
): string => {
  const target = JSON.stringify([sort, ...(after ?? [])])
  const signature = sign(key, `${JSON.stringify(binding)}\n${target}`, SIGNATURE_BYTES)
  return Buffer.concat([signature, Buffer.from(target)]).toString('base64url')
}

/** Reads a cursor. Refuses one that `writeCursor` did not write for this list with `invalid_cursor`. */
export const readCursor = (key: KeyObject, binding: Binding, cursor: string): CursorTarget => {
  const bytes = Buffer.from(cursor.slice(0, MAX_LENGTH), 'base64url')
  const signature = bytes.subarray(0, SIGNATURE_BYTES)
  const target = bytes.toString('utf8', SIGNATURE_BYTES)
  const isWhole = signature.length === SIGNATURE_BYTES && bytes.toString('base64url') === cursor
  if (!isWhole || !isSignature(key, `${JSON.stringify(binding)}\n${target}`, signature)) {
    throw new Refusal('invalid_cursor')
  }
  const [sort, ...position] = JSON.parse(target)
  return { sort, after: position.length === 2 ? position : null }
}

/** The last id of the page before. Null at the start of the list. */
export const readIdCursor = (
  key: KeyObject,
  binding: Binding,
  cursor: string | undefined,
): number | null =>
  cursor === undefined ? null : (readCursor(key, binding, cursor).after?.[1] ?? null)

export const writeIdCursor = (
  key: KeyObject,
  binding: Binding,
  id: number | null,
): string | null => (id === null ? null : writeCursor(key, binding, { sort: '', after: [0, id] }))

/**
 * Reads the sort and the position of a request. The sort must be one of the site's; without one, the site's
 * first applies. A cursor contains its sort, and a sort beside it must be the same.
 */
export const readSortedCursor = (
  key: KeyObject,
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
