import { randomBytes } from 'node:crypto'
import type { Db } from '../postgres/connection/db.ts'
import { ensureAdminKey, insertFirstKey } from '../postgres/service/keys.ts'
import { ensureSecret } from '../postgres/service/secrets.ts'
import { insertFirstSite } from '../postgres/service/sites.ts'
import { makeSecret } from './administering/keys.ts'

const SECRET_BYTES = 32

type Secrets = readonly [Buffer, ...Buffer[]]

/**
 * Inserts what the service needs in a migrated database: the site `default` if there is no site, the service's secrets and
 * an admin key. Safe to repeat, and to run on several nodes together.
 * @returns the secrets, and the admin key if it is new: the database stores only its hash
 */
export const seedDatabase = async (
  db: Db,
  given: { secrets: readonly (string | null)[]; adminKey: string | undefined },
): Promise<{ secrets: Secrets; idSecret: Buffer; madeKey: string | undefined }> => {
  await insertFirstSite(db, { slug: 'default', name: 'Default' })
  const secrets = await ensureSecrets(db, given.secrets)
  const idSecret = await ensureIdSecret(db)
  if (given.adminKey) {
    await ensureAdminKey(db, 'AFTERWORD_ADMIN_KEY', given.adminKey)
    return { secrets, idSecret, madeKey: undefined }
  }
  const key = makeSecret()
  const firstKey = { name: 'first', scope: 'admin', siteId: null, key } as const
  const isInserted = await insertFirstKey(db, firstKey)
  return { secrets, idSecret, madeKey: isInserted ? key : undefined }
}

/**
 * The secrets of the service, of which the first signs. Null stands for the one that the service makes itself and
 * keeps in Postgres. An empty list means that one too.
 */
export const ensureSecrets = async (
  db: Db,
  given: readonly (string | null)[],
): Promise<Secrets> => {
  const [first = null, ...others] = given
  const read = async (secret: string | null): Promise<Buffer> =>
    secret === null ? ensureSecret(db, 'service', randomBytes(SECRET_BYTES)) : Buffer.from(secret)
  return [await read(first), ...(await Promise.all(others.map(read)))]
}

/**
 * The secret that encrypts public ids. It is random and never changes, whatever `AFTERWORD_SECRET` does:
 * links contain ids.
 */
export const ensureIdSecret = (db: Db): Promise<Buffer> =>
  ensureSecret(db, 'ids', randomBytes(SECRET_BYTES))
