import { sql } from 'kysely'
import type { Author } from '../domain/comment.ts'
import type { Db, Tx } from './connection/db.ts'
import { nextVersion } from './threads.ts'

export type GuestProfile = {
  readonly name: string
  readonly url: string | null
  readonly email: string | null
}

const COLUMNS = ['id', 'kind', 'role', 'name', 'url', 'avatarUrl'] as const

export const insertGuest = (db: Db, siteId: number, profile: GuestProfile): Promise<Author> =>
  db
    .insertInto('authors')
    .values({ siteId, ...profile })
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()

export const findAuthor = (db: Db, siteId: number, id: number): Promise<Author | undefined> =>
  db
    .selectFrom('authors')
    .select(COLUMNS)
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .executeTakeFirst()

/**
 * Changes what a guest is called, and the version of every thread that shows it, the one of the
 * comment just published included. It comes after all comments and before any thread, and takes
 * the threads in order of id, so that no two writers wait for each other.
 */
export const updateGuest = async (
  tx: Tx,
  siteId: number,
  id: number,
  profile: GuestProfile,
): Promise<void> => {
  const { name, url, email } = profile
  const changed = await tx
    .updateTable('authors')
    .set(profile)
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .where(sql<boolean>`(name, url, email) is distinct from (${name}, ${url}, ${email})`)
    .returning('id')
    .execute()
  if (changed.length > 0) await touchThreadsOf(tx, siteId, id)
}

const touchThreadsOf = async (tx: Tx, siteId: number, authorId: number): Promise<void> => {
  await sql`
    with shown as (
      select id from threads where site_id = ${siteId} and id in (
        select thread_id from comments
        where site_id = ${siteId} and author_id = ${authorId} and status = 'approved')
      order by id for no key update
    )
    update threads set version = ${nextVersion} from shown
    where threads.site_id = ${siteId} and threads.id = shown.id`.execute(tx)
}
