import { randomBytes } from 'node:crypto'
import type { Db } from '../postgres/connection/db.ts'
import { ensureAdminKey, insertFirstKey } from '../postgres/service/keys.ts'
import { ensureSecret } from '../postgres/service/secrets.ts'
import { insertSite } from '../postgres/service/sites.ts'
import { makeSecret } from './administering/keys.ts'

const SECRET_BYTES = 32

/**
 * What a migrated database must hold before the service can answer: the site `default`, the
 * service's secret, and an admin key. Safe to repeat, and on several nodes at once.
 * @returns the secret, and the admin key if one was made: it is stored only as a hash
 */
export const seedDatabase = async (
  db: Db,
  given: { secret: string | undefined; adminKey: string | undefined },
): Promise<{ secret: Buffer; madeKey: string | undefined }> => {
  await insertSite(db, { slug: 'default', name: 'Default' })
  const secret = given.secret
    ? Buffer.from(given.secret)
    : await ensureSecret(db, 'service', randomBytes(SECRET_BYTES))
  if (given.adminKey) {
    await ensureAdminKey(db, 'AFTERWORD_ADMIN_KEY', given.adminKey)
    return { secret, madeKey: undefined }
  }
  const made = makeSecret()
  const first = { name: 'first', scope: 'admin', siteId: null, key: made } as const
  const isFirst = await insertFirstKey(db, first)
  return { secret, madeKey: isFirst ? made : undefined }
}
