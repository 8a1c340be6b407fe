import { randomBytes } from 'node:crypto'
import type { Db } from '../postgres/connection/db.ts'
import { ensureAdminKey, insertFirstKey } from '../postgres/service/keys.ts'
import { ensureSecret } from '../postgres/service/secrets.ts'
import { insertFirstSite } from '../postgres/service/sites.ts'
import { makeSecret } from './administering/keys.ts'

const SECRET_BYTES = 32

/**
 * Inserts what the service needs in a migrated database: the site `default` if there is no site, the service's secrets and
 * an admin key. Safe to repeat, and to run on several nodes together.
 * @returns the secrets, and the admin key if it is new: the database stores only its hash
 */
export const seedDatabase = async (
  db: Db,
  given: { secret: string | undefined; adminKey: string | undefined },
): Promise<{ secret: Buffer; idSecret: Buffer; madeKey: string | undefined }> => {
  await insertFirstSite(db, { slug: 'default', name: 'Default' })
  const secret = given.secret
    ? Buffer.from(given.secret)
    : await ensureSecret(db, 'service', randomBytes(SECRET_BYTES))
  const idSecret = await ensureIdSecret(db)
  if (given.adminKey) {
    await ensureAdminKey(db, 'AFTERWORD_ADMIN_KEY', given.adminKey)
    return { secret, idSecret, madeKey: undefined }
  }
  const key = makeSecret()
  const firstKey = { name: 'first', scope: 'admin', siteId: null, key } as const
  const isInserted = await insertFirstKey(db, firstKey)
  return { secret, idSecret, madeKey: isInserted ? key : undefined }
}

/**
 * The secret that encrypts public ids. It is random and never changes, whatever `AFTERWORD_SECRET` does:
 * links contain ids.
 */
export const ensureIdSecret = (db: Db): Promise<Buffer> =>
  ensureSecret(db, 'ids', randomBytes(SECRET_BYTES))
