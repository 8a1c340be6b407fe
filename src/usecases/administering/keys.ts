import { randomBytes } from 'node:crypto'
import type { Instant } from '../../domain/instant.ts'
import { authorJob } from '../../domain/job.ts'
import type { Scope } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { storedId } from '../../domain/stored-id.ts'
import type { Db, Tx } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { enqueueJobs } from '../../postgres/jobs/jobs.ts'
import { renameKeyAuthors } from '../../postgres/people/key-authors.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import {
  renameKey as changeName,
  revokeKey as endKey,
  expireKey,
  listKeys as findKeys,
  insertKey,
  type Key,
  type KeyFilter,
} from '../../postgres/service/keys.ts'

export type { Key, KeyFilter } from '../../postgres/service/keys.ts'

const KEY_BYTES = 32

/** The operator's scripts change keys too, without a context. */
type KeyChange = {
  readonly db: Db
  readonly filter: KeyFilter
  /** Public id of the administrator. */
  readonly by: string
}

/** A key with its secret, which is returned once and never stored. */
export type CreatedKey = { readonly key: Key; readonly secret: string }

export const makeSecret = (): string => randomBytes(KEY_BYTES).toString('base64url')

export const createKey = (
  { db, by }: Pick<KeyChange, 'db' | 'by'>,
  wanted: { name: string; scope: Scope; siteId: number | null; expiresAt: Instant | null },
): Promise<CreatedKey> => inTransaction(db, (tx) => make(tx, wanted, { action: 'key_created', by }))

/** Keys, latest first, expired and revoked ones included. */
export const listKeys = async (
  { db, filter }: Omit<KeyChange, 'by'>,
  page: { beforeId: number | null; limit: number },
): Promise<{ items: Key[]; nextId: number | null }> => {
  const rows = await runQuery(findKeys(db, { ...filter, ...page }))
  const items = rows.slice(0, page.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}

/**
 * Creates a key with the rights of an old one, which still works during the overlap. Refuses with
 * `not_found` if the filter has no such working key.
 */
export const rotateKey = (
  { db, filter, by }: KeyChange,
  { id, overlapSeconds }: { id: number; overlapSeconds: number },
): Promise<CreatedKey> =>
  inTransaction(db, async (tx) => {
    const rights = await expireKey(tx, { ...filter, id, overlapSeconds })
    if (!rights) throw new Refusal('not_found')
    return make(tx, rights, { action: 'key_rotated', by, before: { id: storedId('key', id) } })
  })

/**
 * Renames a key, expired and revoked ones included, and the authors that it posts as. Refuses with
 * `not_found`.
 */
export const renameKey = (
  { db, filter, by }: KeyChange,
  { id, name }: { id: number; name: string },
): Promise<Key> =>
  inTransaction(db, async (tx) => {
    const renamed = await changeName(tx, { ...filter, id, name })
    if (!renamed) throw new Refusal('not_found')
    const { nameBefore, ...key } = renamed
    if (name === nameBefore) return key
    const [before, after] = [{ name: nameBefore }, { name }]
    const entry = { siteId: key.siteId, subject: storedId('key', id), by, before, after }
    await insertAuditEntry(tx, { ...entry, action: 'key_updated' })
    const authors = await renameKeyAuthors(tx, { keyId: id, siteId: key.siteId, name })
    await enqueueJobs(
      tx,
      authors.map((author) => authorJob('refresh_author', author)),
    )
    return key
  })

/** Revokes a key: it stops working immediately. Revoking it again changes nothing. */
export const revokeKey = ({ db, filter, by }: KeyChange, id: number): Promise<void> =>
  inTransaction(db, async (tx) => {
    const before = await endKey(tx, { ...filter, id })
    if (!before) throw new Refusal('not_found')
    const { wasRevoked, siteId } = before
    if (wasRevoked) return
    await insertAuditEntry(tx, { siteId, action: 'key_revoked', subject: storedId('key', id), by })
  })

const make = async (
  tx: Tx,
  rights: Omit<Parameters<typeof insertKey>[1], 'key'>,
  entry: { action: 'key_created' | 'key_rotated'; by: string; before?: object },
): Promise<CreatedKey> => {
  const secret = makeSecret()
  const key = await insertKey(tx, { ...rights, key: secret })
  const { id, name, scope, siteId, expiresAt } = key
  const after = { name, scope, expires_at: expiresAt }
  await insertAuditEntry(tx, { siteId, subject: storedId('key', id), after, ...entry })
  return { key, secret }
}
