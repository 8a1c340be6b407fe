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
 * Those of the site that there are, by id. They are held as by `holdAuthors`, and alone, because
 * they may get another name.
 */
export const holdGuests = async (
  tx: Tx,
  siteId: number,
  ids: readonly number[],
): Promise<ReadonlyMap<number, Author>> => {
  const { rows } = await sql<Author>`
    select id, kind, role, name, url, avatar_url from authors
    where site_id = ${siteId} and id = any(${ids}::bigint[])
    order by id for no key update`.execute(tx)
  return new Map(rows.map((author) => [author.id, author]))
}

/** Changes what guests are called; they are held already. */
export const updateGuests = async (
  tx: Tx,
  siteId: number,
  profiles: ReadonlyMap<number, GuestProfile>,
): Promise<void> => {
  const said = [...profiles.values()]
  await sql`
    update authors a set name = g.name, url = g.url, email = g.email
    from unnest(${[...profiles.keys()]}::bigint[], ${said.map(({ name }) => name)}::text[],
      ${said.map(({ url }) => url)}::text[], ${said.map(({ email }) => email)}::text[])
      as g (id, name, url, email)
    where a.site_id = ${siteId} and a.id = g.id
      and (a.name, a.url, a.email) is distinct from (g.name, g.url, g.email)`.execute(tx)
}

/**
 * Changes the version of every other thread that shows one of these authors. It comes after all
 * comments and authors, and takes the threads in order of id, this one with them, so that no two
 * writers wait for each other. Two statements: an update in the one that locks would start from the
 * rows of its snapshot, which others may have replaced, and wait for whoever waits for this
 * transaction.
 * @returns the ids of those threads
 */
export const touchThreadsOf = async (
  tx: Tx,
  { siteId, threadId }: { siteId: number; threadId: number },
  authorIds: readonly number[],
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select id from threads where site_id = ${siteId} and id in (
      select ${threadId}::bigint union all
      select thread_id from comments
      where site_id = ${siteId} and author_id = any(${authorIds}::bigint[]) and status = 'approved')
    order by id for no key update`.execute(tx)
  const others = rows.map(({ id }) => id).filter((id) => id !== threadId)
  await sql`
    update threads set version = ${nextVersion}
    where site_id = ${siteId} and id = any(${others}::bigint[])`.execute(tx)
  return others
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
