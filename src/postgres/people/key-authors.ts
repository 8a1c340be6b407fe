import { sql } from 'kysely'
import { skeletonOf } from '../../domain/screening/name-skeleton.ts'
import type { Db, Tx } from '../connection/db.ts'

type OfKey = { readonly siteId: number; readonly keyId: number }

const firstKey = (keyId: number) =>
  sql`(select coalesce(first_id, id) from api_keys where id = ${keyId})`

/** The author that a key and the keys before its rotations post as; undefined if there is none yet. */
export const findKeyAuthor = async (
  db: Db,
  { siteId, keyId }: OfKey,
): Promise<number | undefined> => {
  const { rows } = await sql<{ id: number }>`
    select id from authors
    where site_id = ${siteId} and key_id = ${firstKey(keyId)} and erased_at is null`.execute(db)
  return rows[0]?.id
}

/** Creates the author of a key, unless a concurrent post has just created the same one. */
export const insertKeyAuthor = async (db: Db, { siteId, keyId }: OfKey): Promise<void> => {
  const { rows } = await sql<{ id: number; name: string }>`
    insert into authors (site_id, kind, role, name, key_id)
    select ${siteId}, 'member', (case scope when 'admin' then 'owner' else 'moderator' end)::author_role,
      ${authorName(sql`name`)}, coalesce(first_id, id)
    from api_keys where id = ${keyId}
    on conflict (site_id, key_id) where key_id is not null and erased_at is null do nothing
    returning id, name`.execute(db)
  for (const { id, name } of rows)
    await sql`
      update authors set name_skeleton = ${skeletonOf(name) ?? null}
      where site_id = ${siteId} and id = ${id}`.execute(db)
}

/** Gives the authors of a key its new name. @returns the authors that had another one */
export const renameKeyAuthors = async (
  tx: Tx,
  { keyId, siteId, name }: { keyId: number; siteId: number | null; name: string },
): Promise<{ siteId: number; authorId: number }[]> => {
  const { rows } = await sql<{ siteId: number; authorId: number }>`
    update authors a set name = ${authorName(sql`${name}::text`)},
      name_skeleton = ${skeletonOf(name) ?? null}
    where a.site_id in (select id from sites where ${siteId}::int is null or id = ${siteId}::int)
      and a.key_id = ${firstKey(keyId)} and a.erased_at is null
      and a.name <> ${authorName(sql`${name}::text`)}
    returning a.site_id, a.id as author_id`.execute(tx)
  return rows
}

/** Names of keys are longer than names of authors can be. */
const authorName = (name: ReturnType<typeof sql>) =>
  sql<string>`btrim(left(normalize(${name}, nfkc), 80))`
