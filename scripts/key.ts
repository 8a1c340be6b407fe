import { parseArgs } from 'node:util'
import { validateTitle } from '../src/domain/comment/text.ts'
import { instantOf } from '../src/domain/instant.ts'
import { SCOPES, type Scope } from '../src/domain/people/caller.ts'
import type { PublicIds } from '../src/domain/public-id.ts'
import { Refusal } from '../src/domain/refusal.ts'
import { createPublicIds } from '../src/http/wire/public-ids.ts'
import { createDb, type Db } from '../src/postgres/connection/db.ts'
import { migrate } from '../src/postgres/connection/migrate.ts'
import { findSite } from '../src/postgres/service/sites.ts'
import {
  type CreatedKey,
  createKey,
  listKeys,
  revokeKey,
  rotateKey,
} from '../src/usecases/administering/keys.ts'
import { ensureIdSecret } from '../src/usecases/seed-database.ts'
import { openDatabase } from './open-database.ts'
import { say } from './say.ts'

/**
 * `npm run key`: makes, lists and revokes API keys for operators who have no key yet. The key alone goes
 * to standard output, everything else to standard error. The exit code is 1 if nothing changed.
 */

const USAGE = `npm run key -- create --name NAME --scope ${SCOPES.join('|')} [--site SLUG] [--expires TIME]
npm run key -- list [--site SLUG]
npm run key -- rotate ID [--overlap SECONDS]
npm run key -- revoke ID
Goes to DATABASE_URL, or to the embedded Postgres in AFTERWORD_DATA, whether the service runs or not.`

const OPERATOR = 'operator'
const MAX_LISTED = 1_000
const DAY_SECONDS = 86_400

/** An error in the command line. */
class Mistake extends Error {}

type Options = {
  readonly name?: string
  readonly scope?: string
  readonly site?: string
  readonly expires?: string
  readonly overlap?: string
}

const main = async (): Promise<void> => {
  const { values, positionals } = readArguments()
  const [command = '', id, ...rest] = positionals
  const act = ACTS[command]
  const takesId = command === 'rotate' || command === 'revoke'
  if (!act || rest.length > 0 || (id !== undefined) !== takesId) throw new Mistake(USAGE)
  const { url, close } = await openDatabase(say)
  const pool = createDb({ url, max: 1, onError: () => {} })
  try {
    await migrate({ url })
    const ids = createPublicIds(await ensureIdSecret(pool.db))(null)
    await act({ db: pool.db, ids }, values, id ?? '')
  } finally {
    await pool.close()
    await close()
  }
}

const readArguments = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        scope: { type: 'string' },
        site: { type: 'string' },
        expires: { type: 'string' },
        overlap: { type: 'string' },
      },
    })
  } catch (error) {
    throw new Mistake(`${(error as Error).message}\n${USAGE}`)
  }
}

type Target = { readonly db: Db; readonly ids: PublicIds }

type Act = (target: Target, options: Options, id: string) => Promise<void>

const create: Act = async ({ db, ids }, { name = '', scope, site, expires }) => {
  const checked = validateTitle(name)
  if (!checked.ok) throw new Mistake(`--name ${checked.problem}`)
  if (!SCOPES.includes(scope as Scope))
    throw new Mistake(`--scope must be one of ${SCOPES.join(', ')}`)
  const siteId = site === undefined ? null : await findSiteId(db, site)
  const wanted = {
    name: checked.value,
    scope: scope as Scope,
    siteId,
    expiresAt: readTime(expires),
  }
  tell(ids, await createKey({ db, by: OPERATOR }, wanted))
}

const list: Act = async ({ db, ids }, { site }) => {
  const siteId = site === undefined ? undefined : await findSiteId(db, site)
  const page = { beforeId: null, limit: MAX_LISTED }
  const { items, nextId } = await listKeys({ db, filter: { siteId } }, page)
  for (const key of items) {
    const until = key.revokedAt ? `revoked ${key.revokedAt}` : (key.expiresAt ?? 'for ever')
    const used = key.lastUsedAt ?? 'never'
    const fields = [
      ids.write('key', key.id),
      key.scope,
      key.site ?? '*',
      until,
      `used ${used}`,
      key.name,
    ]
    process.stdout.write(`${fields.join('\t')}\n`)
  }
  if (nextId !== null) say(`and more: only the latest ${MAX_LISTED} are listed`)
}

const rotate: Act = async ({ db, ids }, { overlap = String(DAY_SECONDS) }, id) => {
  if (!/^\d{1,7}$/.test(overlap)) throw new Mistake('--overlap must be a number of seconds')
  const rotation = { id: readId(ids, id), overlapSeconds: Number(overlap) }
  tell(ids, await rotateKey({ db, filter: ALL, by: OPERATOR }, rotation))
  say(`${id} ends after ${overlap} seconds`)
}

const revoke: Act = async ({ db, ids }, _options, id) => {
  await revokeKey({ db, filter: ALL, by: OPERATOR }, readId(ids, id))
  say(`${id} is revoked`)
}

const ACTS: Record<string, Act> = { create, list, rotate, revoke }
const ALL = { siteId: undefined }

const findSiteId = async (db: Db, slug: string): Promise<number> => {
  const site = await findSite(db, slug)
  if (!site) throw new Mistake(`there is no site ${slug}`)
  return site.id
}

const readTime = (text: string | undefined): string | null => {
  if (text === undefined) return null
  const time = Date.parse(text)
  if (!(time > Date.now())) throw new Mistake('--expires must be a time in the future')
  return instantOf(time)
}

const readId = (ids: PublicIds, text: string): number => {
  const id = ids.read('key', text)
  if (id === undefined) throw new Mistake(`${text} is not the id of a key`)
  return id
}

const tell = (ids: PublicIds, { key, secret }: CreatedKey): void => {
  process.stdout.write(`${secret}\n`)
  const where = key.site ?? 'all sites'
  say(`${ids.write('key', key.id)} may ${key.scope} on ${where}; it is shown only now`)
}

try {
  await main()
} catch (error) {
  process.exitCode = 1
  const isNotFound = error instanceof Refusal && error.code === 'not_found'
  say(isNotFound ? 'there is no such key that is still good' : (error as Error).message)
}
