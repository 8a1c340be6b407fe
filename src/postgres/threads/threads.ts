import { type RawBuilder, sql, type Updateable } from 'kysely'
import type { Thread, ThreadState } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Moderation } from '../../domain/site/site.ts'
import { closesAt, slowModeSeconds, threadColumns, threadIsVisible } from '../comments/rows.ts'
import { isVisible } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'
import type { Tables } from '../connection/tables.ts'

/** Never used twice, not even after a restore that lost commits: it follows the clock. */
export const nextVersion = sql<number>`greatest(version + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)`

/**
 * The visible threads that are asked for, by article or by their own ids, in the order of the
 * questions; undefined for each that is not there or not visible.
 */
export const findThreads = async (
  db: Db,
  questions: readonly ({ siteId: number } & ({ articleId: string } | { id: number }))[],
): Promise<(Thread | undefined)[]> => {
  const sites = questions.map(({ siteId }) => siteId)
  const ids = questions.map((question) => ('id' in question ? question.id : null))
  const articles = questions.map((question) => ('id' in question ? null : question.articleId))
  const { rows } = await sql<Thread & { place: number }>`
    select t.*, q.place
    from unnest(${sites}::int[], ${ids}::bigint[], ${articles}::text[])
      with ordinality as q (site_id, id, article_id, place)
    cross join lateral (
      select ${threadColumns} from threads t
      where q.id is not null and t.site_id = q.site_id and t.id = q.id and ${threadIsVisible}
      union all
      select ${threadColumns} from threads t
      where q.id is null and t.site_id = q.site_id and t.article_id = q.article_id
        and ${threadIsVisible}
    ) t`.execute(db.withoutPlugins())
  const byPlace = new Map(rows.map(({ place, ...thread }) => [place, thread]))
  return questions.map((_, i) => byPlace.get(i + 1))
}

/** What a writer must know of a thread; `state` counts a closing time that has passed. */
export type ThreadForWrite = {
  id: number
  articleId: string
  state: ThreadState
  moderation: Moderation | null
  slowModeSeconds: number
}

export const forWrite = sql`id, article_id, moderation, ${slowModeSeconds('threads')} as slow_mode_seconds,
  case when state = 'open' and ${closesAt('threads')} <= clock_timestamp() then 'closed' else state end as state`

/** The thread's id, whether anybody can see it or not; it is made if it is not there. */
export const ensureThread = async (tx: Tx, siteId: number, articleId: string): Promise<number> => {
  const found = await findThreadId(tx, siteId, articleId)
  if (found !== undefined) return found
  await insertThread(tx, siteId, articleId)
  return (await findThreadId(tx, siteId, articleId))!
}

/**
 * As `ensureThread`, and shares the lock on the thread: see `lockThread`, whose rules hold here too.
 */
export const ensureSharedThread = async (
  tx: Tx,
  siteId: number,
  articleId: string,
): Promise<number> => {
  const found = await findSharedThread(tx, siteId, articleId)
  if (found !== undefined) return found
  await insertThread(tx, siteId, articleId)
  return (await findSharedThread(tx, siteId, articleId))!
}

/** Waits for whoever makes the same thread at this moment; the next statement finds it. */
const insertThread = async (tx: Tx, siteId: number, articleId: string): Promise<void> => {
  await tx
    .insertInto('threads')
    .values({ siteId, articleId })
    .onConflict((c) => c.columns(['siteId', 'articleId']).doNothing())
    .execute()
}

const findSharedThread = async (
  tx: Tx,
  siteId: number,
  articleId: string,
): Promise<number | undefined> => {
  const { rows } = await sql<{ id: number }>`
    select id, pg_advisory_xact_lock_shared(id) from threads
    where site_id = ${siteId} and article_id = ${articleId}`.execute(tx)
  return rows[0]?.id
}

/** The thread's id, whether anybody can see it or not. */
export const findThreadId = async (
  db: Db,
  siteId: number,
  articleId: string,
): Promise<number | undefined> => {
  const row = await db
    .selectFrom('threads')
    .select('id')
    .where('siteId', '=', siteId)
    .where('articleId', '=', articleId)
    .executeTakeFirst()
  return row?.id
}

/** Read after the lock on the thread, so that it holds until the transaction ends. */
export const findThreadForWrite = async (
  db: Db,
  siteId: number,
  id: number,
): Promise<ThreadForWrite | undefined> => {
  const { rows } = await sql<ThreadForWrite>`
    select ${forWrite} from threads where site_id = ${siteId} and id = ${id}`.execute(db)
  return rows[0]
}

/**
 * Comments have become visible, or are no longer so. The thread is held alone. The last statement of a
 * writer.
 * @param by `newIds`: those that are visible now; what they say of their article is used while the
 * thread has nothing, if it is still the one that they were written in
 * @returns the new version
 */
export const recountThread = (
  tx: Tx,
  { siteId, threadId }: { siteId: number; threadId: number },
  by: { comments: number; roots: number; newIds: readonly number[] },
): Promise<number> => {
  const first = (column: string) => sql`(select ${sql.ref(column)} from comments
    where site_id = ${siteId} and thread_id = ${threadId} and id = any(${by.newIds}::bigint[])
      and home_thread_id is null and ${sql.ref(column)} is not null order by id limit 1)`
  return change(tx, siteId, threadId, {
    commentCount: sql`comment_count + ${by.comments}`,
    rootCount: sql`root_count + ${by.roots}`,
    lastCommentAt: sql`(select max(c.created_at) from comments c
      where c.site_id = ${siteId} and c.thread_id = ${threadId} and ${isVisible('c.status')})`,
    title: sql`coalesce(title, ${first('article_title')})`,
    url: sql`coalesce(url, ${first('article_url')})`,
  })
}

/** Something else that readers see of the thread has changed. @returns the new version */
export const touchThread = (tx: Tx, siteId: number, id: number): Promise<number> =>
  change(tx, siteId, id, {})

const change = async (
  tx: Tx,
  siteId: number,
  id: number,
  columns: Updateable<Tables['threads']> | Record<string, RawBuilder<unknown>>,
): Promise<number> => {
  const { version } = await tx
    .updateTable('threads')
    .set({ ...columns, version: nextVersion })
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .returning('version')
    .executeTakeFirstOrThrow()
  return version
}

/** Takes no new comments from now on. A thread that nobody has ever seen stays unseen. */
export const closeThread = async (tx: Tx, siteId: number, id: number): Promise<void> => {
  await sql`
    update threads set state = 'closed', version = case when version > 0 then ${nextVersion} else 0 end
    where site_id = ${siteId} and id = ${id} and state = 'open'`.execute(tx)
}

/** Takes new comments again, if nobody has decided otherwise since. */
export const reopenThread = async (tx: Tx, siteId: number, id: number): Promise<void> => {
  await sql`
    update threads set state = 'open', version = case when version > 0 then ${nextVersion} else 0 end
    where site_id = ${siteId} and id = ${id} and state = 'closed'`.execute(tx)
}

export type ThreadChange = {
  state?: ThreadState
  title?: string | null
  url?: string | null
  closesAt?: Instant | null
  /** The days of the site do not close it. */
  staysOpen?: boolean
  /** Null: as the site says. */
  slowModeSeconds?: number | null
  moderation?: Moderation | null
}

/** A thread as its moderators see it. */
export type ModeratedThread = Thread & {
  staysOpen: boolean
  moderation: Moderation | null
  /** Null: as the site says. */
  ownSlowModeSeconds: number | null
}

/** What a moderator can change of a thread, as it is; the names are those of the wire. */
export const findThreadSettings = async (
  tx: Tx,
  siteId: number,
  id: number,
): Promise<Record<string, unknown>> => {
  const { rows } = await sql<{ settings: Record<string, unknown> }>`
    select jsonb_build_object('state', state, 'title', title, 'url', url, 'closes_at',
      to_char(closes_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'stays_open', stays_open, 'slow_mode_seconds', slow_mode_seconds,
      'moderation', coalesce(moderation::text, 'site')) as settings
    from threads where site_id = ${siteId} and id = ${id}`.execute(tx)
  return rows[0]!.settings
}

/** Gives a thread the settings that `findThreadSettings` has told of. @returns the new version */
export const restoreThread = async (
  tx: Tx,
  siteId: number,
  id: number,
  settings: Record<string, unknown>,
): Promise<number> => {
  const { rows } = await sql<{ version: number }>`
    update threads t set state = s.state, title = s.title, url = s.url, closes_at = s.closes_at,
      stays_open = s.stays_open, slow_mode_seconds = s.slow_mode_seconds,
      moderation = nullif(s.moderation, 'site')::moderation_mode,
      version = case when version > 0 then ${nextVersion} else 0 end
    from jsonb_to_record(${JSON.stringify(settings)}::jsonb) as s (state thread_state, title text,
      url text, closes_at timestamptz, stays_open boolean, slow_mode_seconds int, moderation text)
    where t.site_id = ${siteId} and t.id = ${id}
    returning version`.execute(tx)
  return rows[0]!.version
}

export const updateThread = async (
  tx: Tx,
  siteId: number,
  id: number,
  columns: ThreadChange,
): Promise<ModeratedThread> => {
  const { moderation, ...seen } = columns
  if (Object.keys(seen).length > 0) await change(tx, siteId, id, { ...reopening(seen), ...seen })
  if (moderation !== undefined) await setModeration(tx, siteId, id, moderation)
  const { rows } = await sql<ModeratedThread>`
    select ${threadColumns}, t.stays_open, t.moderation,
      t.slow_mode_seconds as own_slow_mode_seconds
    from threads t
    where t.site_id = ${siteId} and t.id = ${id}`.execute(tx)
  return rows[0]!
}

/** Who opens a thread that has closed by itself means it: what closed it does not do so again. */
const reopening = ({ state }: ThreadChange): Record<string, RawBuilder<unknown>> => {
  if (state !== 'open') return {}
  const isOver = sql`${closesAt('threads')} <= clock_timestamp()`
  return {
    closesAt: sql`case when closes_at > clock_timestamp() then closes_at end`,
    staysOpen: sql`stays_open or closes_at is null and coalesce(${isOver}, false)`,
  }
}

/** No reader can see it, so it changes no version. */
const setModeration = async (
  tx: Tx,
  siteId: number,
  id: number,
  moderation: Moderation | null,
): Promise<void> => {
  await tx
    .updateTable('threads')
    .set({ moderation })
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .execute()
}

/**
 * Gives threads a new version. Their rows are locked in the order of their ids, as by every writer, and by
 * a statement of its own: an update in the statement that locks would start from the rows of its
 * snapshot, which other transactions may have replaced.
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
