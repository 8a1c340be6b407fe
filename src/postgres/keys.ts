import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { KeyHolder, Scope } from '../domain/caller.ts'
import type { Instant } from '../domain/instant.ts'
import type { Db } from './connection/db.ts'

/** An API key as its holder sends it. Only its SHA-256 is kept: the key is too random to guess. */
type NewKey = {
  readonly name: string
  readonly scope: Scope
  readonly siteId: number | null
  readonly key: string
}

/** Whose key this is; undefined when it is unknown, expired or revoked. */
export const findKey = async (db: Db, key: string): Promise<KeyHolder | undefined> => {
  const row = await db
    .selectFrom('apiKeys')
    .select(['id', 'scope', 'siteId'])
    .where('hash', '=', hashOf(key))
    .where('revokedAt', 'is', null)
    .where((eb) => eb.or([eb('expiresAt', 'is', null), eb('expiresAt', '>', sql<Instant>`now()`)]))
    .executeTakeFirst()
  return row && { kind: 'key', keyId: row.id, scope: row.scope, siteId: row.siteId }
}

export const insertKey = async (db: Db, { key, ...rights }: NewKey): Promise<void> => {
  await db
    .insertInto('apiKeys')
    .values({ ...rights, hash: hashOf(key) })
    .execute()
}

/** Makes the key an administrator of every site, whatever it was before. */
export const ensureAdminKey = async (db: Db, name: string, key: string): Promise<void> => {
  const rights = { scope: 'admin', siteId: null, expiresAt: null, revokedAt: null } as const
  await db
    .insertInto('apiKeys')
    .values({ name, hash: hashOf(key), ...rights })
    .onConflict((c) => c.column('hash').doUpdateSet(rights))
    .execute()
}

/** Inserts the key only while there is none at all; false when there was one. */
export const insertFirstKey = async (db: Db, key: NewKey): Promise<boolean> =>
  db.transaction().execute(async (tx) => {
    await sql`lock table api_keys in share row exclusive mode`.execute(tx)
    const some = await tx.selectFrom('apiKeys').select('id').limit(1).executeTakeFirst()
    if (!some) await insertKey(tx, key)
    return !some
  })

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()
