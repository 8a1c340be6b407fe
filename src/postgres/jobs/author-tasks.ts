import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { authorId as publicId } from '../../domain/public-id.ts'
import { isVisible } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'
import { nextVersion } from '../threads/threads.ts'

/** Something to be done in all threads of an author. */
export type AuthorTask = {
  readonly siteId: number
  readonly authorId: number
  /** `refresh`: other threads show it as it was. `erase`: what it wrote is still there. */
  readonly kind: 'refresh' | 'erase'
  readonly askedAt: Instant
}

export const insertAuthorTasks = async (
  tx: Tx,
  kind: AuthorTask['kind'],
  { siteId, authorIds }: { siteId: number; authorIds: readonly number[] },
): Promise<void> => {
  await sql`
    insert into author_tasks (site_id, author_id, kind, asked_at)
    select ${siteId}, id, ${kind}, clock_timestamp()
    from unnest(${authorIds}::bigint[]) as a (id) order by id
    on conflict (site_id, author_id, kind) do update set asked_at = excluded.asked_at`.execute(tx)
}

/** Asks that every thread which shows these authors gets a new version, because they look otherwise now. */
export const askForRefresh = (
  tx: Tx,
  siteId: number,
  authorIds: readonly number[],
): Promise<void> => insertAuthorTasks(tx, 'refresh', { siteId, authorIds })

/** Oldest first. */
export const listAuthorTasks = async (db: Db, limit: number): Promise<AuthorTask[]> => {
  const { rows } = await sql<AuthorTask>`
    select site_id, author_id, kind, asked_at from author_tasks
    order by asked_at limit ${limit}`.execute(db)
  return rows
}

export const findAuthorTask = async (
  db: Db,
  { siteId, authorId, kind }: Omit<AuthorTask, 'askedAt'>,
): Promise<AuthorTask | undefined> =>
  db
    .selectFrom('authorTasks')
    .select(['siteId', 'authorId', 'kind', 'askedAt'])
    .where('siteId', '=', siteId)
    .where('authorId', '=', authorId)
    .where('kind', '=', kind)
    .executeTakeFirst()

/** Whether this transaction has the task to itself; another node may be at it. */
export const tryLockAuthorTask = async (
  tx: Tx,
  { siteId, authorId, kind }: AuthorTask,
): Promise<boolean> => {
  const name = `author task ${kind} ${siteId} ${publicId(authorId)}`
  const { rows } = await sql<{ held: boolean }>`
    select pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) as held`.execute(tx)
  return rows[0]!.held
}

/** Ends a task, unless it was asked for again since it was read. */
export const deleteAuthorTask = async (
  tx: Tx,
  { siteId, authorId, kind, askedAt }: AuthorTask,
): Promise<void> => {
  await tx
    .deleteFrom('authorTasks')
    .where('siteId', '=', siteId)
    .where('authorId', '=', authorId)
    .where('kind', '=', kind)
    .where('askedAt', '=', askedAt)
    .execute()
}

type OfAuthor = { readonly siteId: number; readonly authorId: number }

/** The threads that show something of an author. */
export const listThreadsOf = async (db: Db, { siteId, authorId }: OfAuthor): Promise<number[]> => {
  const { rows } = await sql<{ threadId: number }>`
    select distinct thread_id from comments
    where site_id = ${siteId} and author_id = ${authorId} and ${isVisible('status')}
    order by thread_id`.execute(db)
  return rows.map(({ threadId }) => threadId)
}

/**
 * Changes the version of threads. They are taken in order of id, as by every writer, and in a
 * statement of its own: an update in the one that locks would start from the rows of its snapshot,
 * which others may have replaced.
 */
export const touchThreads = async (
  tx: Tx,
  siteId: number,
  ids: readonly number[],
): Promise<void> => {
  await sql`
    select 1 from threads where site_id = ${siteId} and id = any(${ids}::bigint[])
    order by id for no key update`.execute(tx)
  await sql`
    update threads set version = ${nextVersion}
    where site_id = ${siteId} and id = any(${ids}::bigint[])`.execute(tx)
}
