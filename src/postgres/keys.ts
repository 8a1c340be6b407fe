import { sql } from 'kysely'
import type { KeyHolder, Scope } from '../domain/caller.ts'
import type { Db } from './connection/db.ts'

/** The key with this hash, unless it has expired or was revoked. */
export const findKey = async (db: Db, hash: Buffer): Promise<KeyHolder | undefined> => {
  const row = await db
    .selectFrom('apiKeys')
    .select(['id', 'scope', 'siteId'])
    .where('hash', '=', hash)
    .where('revokedAt', 'is', null)
    .where((eb) => eb.or([eb('expiresAt', 'is', null), eb('expiresAt', '>', sql<Date>`now()`)]))
    .executeTakeFirst()
  return row && { kind: 'key', keyId: row.id, scope: row.scope, siteId: row.siteId }
}

export const insertKey = async (
  db: Db,
  key: { name: string; scope: Scope; siteId: number | null; hash: Buffer },
): Promise<void> => {
  await db.insertInto('apiKeys').values(key).execute()
}

/** Makes the key an administrator of every site, whatever it was before. */
export const ensureAdminKey = async (db: Db, name: string, hash: Buffer): Promise<void> => {
  const rights = { scope: 'admin', siteId: null, expiresAt: null, revokedAt: null } as const
  await db
    .insertInto('apiKeys')
    .values({ name, hash, ...rights })
    .onConflict((c) => c.column('hash').doUpdateSet(rights))
    .execute()
}

/** Inserts the key only while there is none at all; false when there was one. */
export const insertFirstKey = async (
  db: Db,
  key: { name: string; scope: Scope; hash: Buffer },
): Promise<boolean> =>
  db.transaction().execute(async (tx) => {
    await sql`lock table api_keys in share row exclusive mode`.execute(tx)
    const some = await tx.selectFrom('apiKeys').select('id').limit(1).executeTakeFirst()
    if (!some) await insertKey(tx, { ...key, siteId: null })
    return !some
  })
