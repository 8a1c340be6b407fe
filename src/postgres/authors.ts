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
  { name, url, email }: GuestProfile,
): Promise<void> => {
  const changed = await tx
    .updateTable('authors')
    .set({ name, url })
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .where(sql<boolean>`(name, url) is distinct from (${name}, ${url})`)
    .returning('id')
    .execute()
  if (changed.length > 0) await touchThreadsOf(tx, siteId, id)
  await tx
    .updateTable('authors')
    .set({ email })
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .where(sql<boolean>`email is distinct from ${email}`)
    .execute()
}

/**
 * Keeps the authors of these comments as they are until the transaction ends. Whoever publishes
 * takes it after all comments and before the thread: otherwise a new name, given at the same time,
 * would find nothing of this thread to change, and the thread's page would keep the old one.
 */
export const holdAuthors = async (
  tx: Tx,
  at: { siteId: number; threadId: number; ids: readonly number[] },
): Promise<void> => {
  await sql`
    select 1 from authors where site_id = ${at.siteId} and id in (
      select author_id from comments
      where site_id = ${at.siteId} and thread_id = ${at.threadId} and id = any(${at.ids}::bigint[]))
    order by id for share`.execute(tx)
}

/**
 * Two statements: an update in the one that locks would start from the rows of its snapshot, which
 * others may have replaced, and wait for whoever waits for this transaction.
 */
const touchThreadsOf = async (tx: Tx, siteId: number, authorId: number): Promise<void> => {
  const { rows } = await sql<{ id: number }>`
    select id from threads where site_id = ${siteId} and id in (
      select thread_id from comments
      where site_id = ${siteId} and author_id = ${authorId} and status = 'approved')
    order by id for no key update`.execute(tx)
  const ids = rows.map(({ id }) => id)
  await sql`
    update threads set version = ${nextVersion}
    where site_id = ${siteId} and id = any(${ids}::bigint[])`.execute(tx)
}
