import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { KeyCaller, Scope } from '../../domain/people/caller.ts'
import type { Db, Tx } from '../connection/db.ts'
import { prepare } from '../connection/prepared.ts'

/** An API key as administrators see one. Only the SHA-256 of its secret is stored: the secret is too random to guess. */
export type Key = {
  readonly id: number
  readonly name: string
  readonly scope: Scope
  /** Null for a key of every site. */
  readonly siteId: number | null
  readonly site: string | null
  readonly createdAt: Instant
  readonly expiresAt: Instant | null
  readonly revokedAt: Instant | null
  /** Exact to a minute: it is updated at most once a minute. */
  readonly lastUsedAt: Instant | null
}

/** `key`: the secret that its holder sends. */
export type NewKey = Pick<Key, 'name' | 'scope' | 'siteId'> & {
  readonly expiresAt?: Instant | null
  /** The first of the keys that this one replaces; null if it replaces none. */
  readonly firstId?: number | null
  readonly key: string
}

/** Keys of one site; undefined: all keys. */
export type KeyFilter = { readonly siteId: number | undefined }

const isValid = sql<boolean>`revoked_at is null and (expires_at is null or expires_at > clock_timestamp())`
const isStale = sql<boolean>`last_used_at is null or last_used_at < now() - interval '1 minute'`

export type FoundKey = KeyCaller & { readonly isStale: boolean }

/** @returns in the order of the keys; undefined for each that is unknown, expired or revoked */
export const findKeys = async (
  db: Db,
  keys: readonly string[],
): Promise<(FoundKey | undefined)[]> => {
  const hashes = keys.map(hashOf)
  const { rows } = await db.executeQuery(FIND_KEYS({ hashes }))
  const found = new Map(rows.map(({ hash, ...key }) => [hash.toString('hex'), key]))
  return hashes.map((hash) => found.get(hash.toString('hex')))
}

const FIND_KEYS = prepare<{ hashes: readonly Buffer[] }, FoundKey & { readonly hash: Buffer }>(
  (of) => sql`
    select hash, 'key' as kind, id as key_id, scope, site_id, ${isStale} as is_stale from api_keys
    where hash = any(${of.hashes}::bytea[]) and ${isValid}`,
)

export const touchKey = async (db: Db, id: number): Promise<void> => {
  await sql`update api_keys set last_used_at = now() where id = ${id} and (${isStale})`.execute(db)
}

const columns = sql`k.id, k.name, k.scope, k.site_id, s.slug as site, k.created_at, k.expires_at,
  k.revoked_at, k.last_used_at`

const matchesFilter = ({ siteId }: KeyFilter) =>
  siteId === undefined ? sql`true` : sql`k.site_id = ${siteId}`

export const insertKey = async (db: Db, { key, ...rights }: NewKey): Promise<Key> => {
  const { id } = await db
    .insertInto('apiKeys')
    .values({ ...rights, hash: hashOf(key) })
    .returning('id')
    .executeTakeFirstOrThrow()
  const { rows } = await sql<Key>`
    select ${columns} from api_keys k left join sites s on s.id = k.site_id
    where k.id = ${id}`.execute(db)
  return rows[0]!
}

/** Latest first; `limit + 1` rows. */
export const listKeys = async (
  db: Db,
  { beforeId, limit, ...filter }: KeyFilter & { beforeId: number | null; limit: number },
): Promise<Key[]> => {
  const { rows } = await sql<Key>`
    select ${columns} from api_keys k left join sites s on s.id = k.site_id
    where ${matchesFilter(filter)} ${beforeId === null ? sql`` : sql`and k.id < ${beforeId}`}
    order by k.id desc limit ${limit + 1}`.execute(db)
  return rows
}

/** Lets a valid key expire after the overlap, or earlier if it would have. Undefined if there is no such key. */
export const expireKey = async (
  tx: Tx,
  { id, overlapSeconds, ...filter }: KeyFilter & { id: number; overlapSeconds: number },
): Promise<Omit<NewKey, 'key'> | undefined> => {
  const { rows } = await sql<Omit<NewKey, 'key'>>`
    with before as materialized (
      select k.id, k.expires_at from api_keys k
      where k.id = ${id} and ${matchesFilter(filter)} and ${isValid} for no key update
    )
    update api_keys k set expires_at =
      least(before.expires_at, clock_timestamp() + make_interval(secs => ${overlapSeconds}))
    from before where k.id = before.id
    returning k.name, k.scope, k.site_id, before.expires_at, coalesce(k.first_id, k.id) as first_id`.execute(
    tx,
  )
  return rows[0]
}

/** @returns the key and its earlier name; undefined if there is no such key */
export const renameKey = async (
  tx: Tx,
  { id, name, ...filter }: KeyFilter & { id: number; name: string },
): Promise<(Key & { nameBefore: string }) | undefined> => {
  const { rows } = await sql<Key & { nameBefore: string }>`
    with before as materialized (
      select k.id, k.name from api_keys k
      where k.id = ${id} and ${matchesFilter(filter)} for no key update
    ),
    k as (
      update api_keys k set name = ${name} from before where k.id = before.id
      returning k.*, before.name as name_before
    )
    select ${columns}, k.name_before from k left join sites s on s.id = k.site_id`.execute(tx)
  return rows[0]
}

/** @returns undefined if there is no such key */
export const revokeKey = async (
  tx: Tx,
  { id, ...filter }: KeyFilter & { id: number },
): Promise<{ wasRevoked: boolean; siteId: number | null } | undefined> => {
  const { rows } = await sql<{ wasRevoked: boolean; siteId: number | null }>`
    with before as materialized (
      select k.id, k.revoked_at from api_keys k where k.id = ${id} and ${matchesFilter(filter)} for no key update
    )
    update api_keys k set revoked_at = coalesce(k.revoked_at, clock_timestamp())
    from before where k.id = before.id
    returning before.revoked_at is not null as was_revoked, k.site_id`.execute(tx)
  return rows[0]
}

/** Gives a key the scope `admin` on every site, whatever rights it had. */
export const ensureAdminKey = async (db: Db, name: string, key: string): Promise<void> => {
  const rights = { scope: 'admin', siteId: null, expiresAt: null, revokedAt: null } as const
  await db
    .insertInto('apiKeys')
    .values({ name, hash: hashOf(key), ...rights })
    .onConflict((c) => c.column('hash').doUpdateSet(rights))
    .execute()
}

/** Inserts a key if the table has none. @returns whether it did */
export const insertFirstKey = async (db: Db, key: NewKey): Promise<boolean> =>
  db.transaction().execute(async (tx) => {
    await sql`lock table api_keys in share row exclusive mode`.execute(tx)
    const some = await tx.selectFrom('apiKeys').select('id').limit(1).executeTakeFirst()
    if (!some) await insertKey(tx, key)
    return !some
  })

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()
