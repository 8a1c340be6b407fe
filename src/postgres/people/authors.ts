import { sql } from 'kysely'
import type { Author } from '../../domain/comment/comment.ts'
import { isVisible } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'
import { prepare } from '../connection/prepared.ts'
import { forEachWaiting, orSkip, type Waiting } from '../connection/transaction.ts'

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

/** Erased authors are not found. */
export const findAuthor = (db: Db, siteId: number, id: number): Promise<Author | undefined> =>
  db
    .selectFrom('authors')
    .select(COLUMNS)
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .where('erasedAt', 'is', null)
    .executeTakeFirst()

/** Whether the author has a shadowed comment. */
export const hasShadowed = sql<boolean>`exists (
  select from comments c
  where c.site_id = authors.site_id and c.author_id = authors.id and c.shadowed)`

export type FoundGuest = {
  readonly id: number
  readonly name: string
  readonly email: string | null
  readonly hasShadowed: boolean
}

/**
 * Finds the guests of guest tokens; erased guests, and those whose comments were reassigned, are not found.
 * @returns in the order of the ids; undefined for each guest that is not found
 */
export const findGuests = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<(FoundGuest | undefined)[]> => {
  const { rows } = await db.executeQuery(FIND_GUESTS({ siteId, ids }))
  const guests = new Map(rows.map((guest) => [guest.id, guest]))
  return ids.map((id) => guests.get(id))
}

const FIND_GUESTS = prepare<{ siteId: number; ids: readonly number[] }, FoundGuest>(
  (of) => sql`
    select id, name, email, ${hasShadowed} as has_shadowed from authors
    where site_id = ${of.siteId} and id = any(${of.ids}::bigint[]) and kind = 'guest'
      and erased_at is null and reassigned_to is null`,
)

/**
 * Locks the rows of authors that exist, are not erased and act in their own name, in order of id. The lock keeps an author's name
 * and prevents an erasure until the transaction ends.
 * @param waiting `skip` leaves out the authors whose rows another transaction has locked
 */
export const lockWriterRows = async (
  tx: Tx,
  siteId: number,
  ids: readonly number[],
  waiting: Waiting = 'wait',
): Promise<ReadonlyMap<number, Author>> => {
  const { rows } = await tx.executeQuery(LOCK_WRITER_ROWS[waiting]({ siteId, ids }))
  return new Map(rows.map((author) => [author.id, author]))
}

/** The statement of `lockWriterRows`. */
export const LOCK_WRITER_ROWS = forEachWaiting((waiting) =>
  prepare<{ siteId: number; ids: readonly number[] }, Author>(
    (of) => sql`
      select id, kind, role, name, url, avatar_url from authors
      where site_id = ${of.siteId} and id = any(${of.ids}::bigint[]) and erased_at is null
        and reassigned_to is null
      order by id for no key update ${orSkip(waiting)}`,
  ),
)

/** Changes guests' profiles; the caller has locked their rows. */
export const updateGuests = async (
  tx: Tx,
  siteId: number,
  profiles: ReadonlyMap<number, GuestProfile>,
): Promise<void> => {
  const values = [...profiles.values()]
  await sql`
    update authors a set name = g.name, url = g.url, email = g.email
    from unnest(${[...profiles.keys()]}::bigint[], ${values.map(({ name }) => name)}::text[],
      ${values.map(({ url }) => url)}::text[], ${values.map(({ email }) => email)}::text[])
      as g (id, name, url, email)
    where a.site_id = ${siteId} and a.id = g.id
      and (a.name, a.url, a.email) is distinct from (g.name, g.url, g.email)`.execute(tx)
}

/** The threads that show a comment of an author. */
export const listThreadsOf = async (
  db: Db,
  { siteId, authorId }: { siteId: number; authorId: number },
): Promise<number[]> => {
  const { rows } = await sql<{ threadId: number }>`
    select distinct thread_id from comments
    where site_id = ${siteId} and author_id = ${authorId} and ${isVisible('status')}
    order by thread_id`.execute(db)
  return rows.map(({ threadId }) => threadId)
}
