import { type RawBuilder, type Selectable, sql, type Updateable } from 'kysely'
import type { Thread, ThreadState } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Moderation } from '../../domain/site/site.ts'
import {
  closesAt,
  isConfirmed,
  slowModeSeconds,
  threadColumns,
  threadIsVisible,
} from '../comments/rows.ts'
import type { Db, Tx } from '../connection/db.ts'
import { sendTogether } from '../connection/pipeline.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import type { Tables } from '../connection/tables.ts'
import { articleColumnsOf, articleIdOf, articleKey, keysOf } from './article-ids.ts'

/** A version follows the clock, so that it never repeats, not even after a restore that lost commits. */
export const nextVersion = sql<number>`greatest(version + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)`

/**
 * Finds visible threads by article, which an alias can name, or by id.
 * @returns in the order of the queries; undefined for each thread that does not exist or is not visible
 */
export const findThreads = async (
  db: Db,
  questions: readonly ({ siteId: number } & ({ articleId: string } | { id: number }))[],
): Promise<(Thread | undefined)[]> => {
  const sites = questions.map(({ siteId }) => siteId)
  const ids = questions.map((question) => ('id' in question ? question.id : null))
  const articles = questions.map((question) =>
    'id' in question ? null : articleKey(question.articleId),
  )
  const { rows } = await sql<Thread & { place: number }>`
    select t.*, q.place
    from unnest(${sites}::int[], ${ids}::bigint[], ${articles}::text[])
      with ordinality as q (site_id, id, article_id, place)
    cross join lateral (
      select ${threadColumns} from threads t
      where q.id is not null and t.site_id = q.site_id and t.id = q.id and ${threadIsVisible}
      union all
      select ${threadColumns} from threads a
      join threads t on t.site_id = q.site_id and t.id = coalesce(a.alias_of, a.id)
      where q.id is null and a.site_id = q.site_id and a.article_id = q.article_id
        and ${threadIsVisible}
    ) t`.execute(db.withoutPlugins())
  const byPlace = new Map(rows.map(({ place, ...thread }) => [place, thread]))
  return questions.map((_, i) => byPlace.get(i + 1))
}

/** A thread as a write needs it. `state` is `closed` if the closing time is over. */
export type ThreadForWrite = {
  id: number
  articleId: string
  state: ThreadState
  moderation: Moderation | null
  slowModeSeconds: number
  /** Whether no visible comment names the article yet. */
  isUnsuggested: boolean
}

export const forWrite = sql`id, ${articleIdOf('threads')} as article_id, moderation, suggested_by is null as is_unsuggested,
  ${slowModeSeconds('threads')} as slow_mode_seconds,
  case when state = 'open' and ${closesAt('threads')} <= clock_timestamp() then 'closed' else state end as state`

/** Finds the id of a thread, visible or not, and creates the thread if it does not exist. */
export const ensureThread = async (tx: Tx, siteId: number, articleId: string): Promise<number> => {
  const found = await findThreadId(tx, siteId, articleId)
  if (found !== undefined) return found
  await insertThread(tx, siteId, articleId)
  return (await findThreadId(tx, siteId, articleId))!
}

/** Like `ensureThread`, and acquires the shared thread lock: see `acquireThreadLock`. */
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

/** Waits for a transaction that creates the same thread or alias. The next statement finds the thread. */
const insertThread = async (tx: Tx, siteId: number, articleId: string): Promise<void> => {
  await tx
    .insertInto('threads')
    .values({ siteId, ...articleColumnsOf(articleId) })
    .onConflict((c) => c.columns(['siteId', 'articleId']).doNothing())
    .execute()
}

const findSharedThread = async (
  tx: Tx,
  siteId: number,
  articleId: string,
): Promise<number | undefined> => {
  const { rows } = await sql<{ id: number }>`
    select coalesce(alias_of, id) as id, pg_advisory_xact_lock_shared(coalesce(alias_of, id)) from threads
    where site_id = ${siteId} and article_id = ${articleKey(articleId)}`.execute(tx)
  return rows[0]?.id
}

/** A lock wait of a transaction for many threads ends after this time, because all their writers wait. */
const SHARED_LOCK_TIMEOUT_MS = 100

export type FoundThread = {
  readonly id: number
  readonly articleId: string
  readonly isLocked: boolean
}

/**
 * Acquires the shared locks of those threads that no transaction has locked exclusively: see
 * `acquireThreadLock`. Until the transaction ends, it waits at most 100 ms for each lock. Returns the threads that
 * exist, locked or not.
 */
export const TRY_THREAD_LOCKS = prepare<
  { siteId: number; articleIds: readonly string[] },
  FoundThread
>(
  (of) => sql`
    select id, ${articleIdOf('threads')} as article_id, pg_try_advisory_xact_lock_shared(id) as is_locked,
      set_config('lock_timeout', ${String(SHARED_LOCK_TIMEOUT_MS)}, true)
    from threads where site_id = ${of.siteId} and article_id = any(${keysOf(sql`${of.articleIds}::text[]`)})
      and alias_of is null`,
)

const tryLocksWith = (lock: string) =>
  prepare<{ siteId: number; ids: readonly number[] }, Omit<FoundThread, 'articleId'>>(
    (of) => sql`
      select id, ${sql.ref(lock)}(id) as is_locked,
        set_config('lock_timeout', ${String(SHARED_LOCK_TIMEOUT_MS)}, true)
      from threads where site_id = ${of.siteId} and id = any(${of.ids}::bigint[])`,
  )

/** Like `TRY_THREAD_LOCKS`, by the ids of threads, for locks of either mode. */
export const TRY_LOCKS_BY_ID = {
  shared: tryLocksWith('pg_try_advisory_xact_lock_shared'),
  exclusive: tryLocksWith('pg_try_advisory_xact_lock'),
} as const

/** The threads that are locked now, from the rows of `TRY_LOCKS_BY_ID`. */
export const toLockedThreads = (
  rows: readonly Pick<FoundThread, 'id' | 'isLocked'>[],
): ReadonlySet<number> => new Set(rows.flatMap(({ id, isLocked }) => (isLocked ? id : [])))

/** Finds the id of the thread that an article id names, visible or not. */
export const findThreadId = async (
  db: Db,
  siteId: number,
  articleId: string,
): Promise<number | undefined> => {
  const row = await db
    .selectFrom('threads')
    .select(sql<number>`coalesce(alias_of, id)`.as('id'))
    .where('siteId', '=', siteId)
    .where('articleId', '=', articleKey(articleId))
    .executeTakeFirst()
  return row?.id
}

/** Reads a thread under the thread lock, so that the result stays true until the transaction ends. */
export const findThreadForWrite = async (
  db: Db,
  siteId: number,
  id: number,
): Promise<ThreadForWrite | undefined> => {
  const { rows } = await db.executeQuery(FIND_THREADS_FOR_WRITE({ siteId, ids: [id] }))
  return rows[0]
}

/** The statement of `findThreadForWrite`, for several threads. */
export const FIND_THREADS_FOR_WRITE = prepare<
  { siteId: number; ids: readonly number[] },
  ThreadForWrite
>(
  (of) => sql`
    select ${forWrite} from threads
    where site_id = ${of.siteId} and id = any(${of.ids}::bigint[]) and deleted_at is null`,
)

/** Gives a thread a new version after another visible change. @returns the version */
export const touchThread = async (tx: Tx, siteId: number, id: number): Promise<number> =>
  (await tx.executeQuery(TOUCH_THREAD({ siteId, id }))).rows[0]!.version

const TOUCH_THREAD = prepare<{ siteId: number; id: number }, { version: number }>(
  (of) => sql`
    update threads set version = ${nextVersion}
    where site_id = ${of.siteId} and id = ${of.id} returning version`,
)

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

/** Closes an open thread for new comments. A thread that was never visible stays invisible. */
export const closeThread = async (tx: Tx, siteId: number, id: number): Promise<void> => {
  await sql`
    update threads set state = 'closed', version = case when version > 0 then ${nextVersion} else 0 end
    where site_id = ${siteId} and id = ${id} and state = 'open'`.execute(tx)
}

export type ThreadChange = {
  state?: ThreadState
  title?: string | null
  url?: string | null
  closesAt?: Instant | null
  /** True if the site's closing days do not close the thread. */
  staysOpen?: boolean
  /** Null if the site's mode applies. */
  slowModeSeconds?: number | null
  moderation?: Moderation | null
}

/** A thread as moderators see it. */
export type ModeratedThread = Thread & {
  readonly createdAt: Instant
  staysOpen: boolean
  /** Whether staff named the article. */
  isConfirmed: boolean
  moderation: Moderation | null
  /** Null if the site's mode applies. */
  ownSlowModeSeconds: number | null
}

/** The columns of `threads t` that moderators see. */
export const moderatedThreadColumns = sql`
  ${threadColumns}, ${isConfirmed}, t.created_at, t.stays_open, t.moderation,
  t.slow_mode_seconds as own_slow_mode_seconds`

export type ThreadSettings = Readonly<Record<string, unknown>> & { readonly state: ThreadState }

/** The settings of a thread that a moderator can change, with the names of the API. Refuses with `not_found` if it was deleted or is an alias. */
export const findThreadSettings = async (
  tx: Tx,
  siteId: number,
  id: number,
): Promise<ThreadSettings> => {
  const { rows } = await sql<{ settings: ThreadSettings }>`
    select jsonb_build_object('state', state, 'title', title, 'url', url, 'closes_at',
      to_char(closes_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'stays_open', stays_open, 'slow_mode_seconds', slow_mode_seconds,
      'moderation', coalesce(moderation::text, 'site')) as settings
    from threads where site_id = ${siteId} and id = ${id} and deleted_at is null
      and alias_of is null`.execute(tx)
  if (!rows[0]) throw new Refusal('not_found')
  return rows[0].settings
}

/** Whether a thread has a comment of any status. */
export const hasComments = async (tx: Tx, siteId: number, id: number): Promise<boolean> => {
  const { rows } = await sql<{ has: boolean }>`
    select exists (select from comments where site_id = ${siteId} and thread_id = ${id}) as has`.execute(
    tx,
  )
  return rows[0]!.has
}

/** The name that a comment suggests for an article. */
export type ArticleSuggestion = Pick<
  Selectable<Tables['threads']>,
  'suggestedBy' | 'suggestedTitle' | 'suggestedUrl'
>

/** The suggestion moves with its comment, so a merge reads it before it moves the comment. */
export const findArticleSuggestion = (
  tx: Tx,
  siteId: number,
  id: number,
): Promise<ArticleSuggestion> =>
  tx
    .selectFrom('threads')
    .select(['suggestedBy', 'suggestedTitle', 'suggestedUrl'])
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .executeTakeFirstOrThrow()

/**
 * Gives a thread the title and URL of another if it has none. With `isRename` it also takes the age and
 * each setting that it has not set itself.
 */
export const inheritSettings = async (
  tx: Tx,
  siteId: number,
  { from, to, isRename }: { from: number; to: number; isRename: boolean },
): Promise<void> => {
  const settings = sql`
    state = case when t.state = 'open' then s.state else t.state end,
    closes_at = coalesce(t.closes_at, s.closes_at), stays_open = t.stays_open or s.stays_open,
    slow_mode_seconds = coalesce(t.slow_mode_seconds, s.slow_mode_seconds),
    moderation = coalesce(t.moderation, s.moderation),
    created_at = least(t.created_at, s.created_at),`
  await sql`
    update threads t set title = coalesce(t.title, s.title), url = coalesce(t.url, s.url),
      ${isRename ? settings : sql``}
      version = case when t.version > 0 then
        greatest(t.version + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint) else 0 end
    from threads s
    where t.site_id = ${siteId} and t.id = ${to} and s.site_id = ${siteId} and s.id = ${from}`.execute(
    tx,
  )
}

/** Gives a thread a suggestion whose comment it has now, unless it has one already. */
export const inheritSuggestion = async (
  tx: Tx,
  siteId: number,
  id: number,
  { suggestedBy, suggestedTitle, suggestedUrl }: ArticleSuggestion,
): Promise<void> => {
  await sql`
    update threads set suggested_by = ${suggestedBy}, suggested_title = ${suggestedTitle},
      suggested_url = ${suggestedUrl}
    where site_id = ${siteId} and id = ${id} and suggested_by is null`.execute(tx)
}

/** Restores settings that `findThreadSettings` returned. @returns the new version */
export const restoreThread = async (
  tx: Tx,
  siteId: number,
  id: number,
  settings: Record<string, unknown>,
): Promise<number> => {
  const { rows } = await sql<{ version: number }>`
    update threads t set state = s.state, title = s.title, url = s.url, closes_at = s.closes_at,
      stays_open = s.stays_open, slow_mode_seconds = s.slow_mode_seconds, created_at = s.created_at,
      moderation = nullif(s.moderation, 'site')::moderation_mode,
      version = case when version > 0 then ${nextVersion} else 0 end
    from jsonb_to_record(${JSON.stringify(settings)}::jsonb) as s (state thread_state, title text,
      url text, closes_at timestamptz, created_at timestamptz, stays_open boolean, slow_mode_seconds int, moderation text)
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
    select ${moderatedThreadColumns} from threads t
    where t.site_id = ${siteId} and t.id = ${id}`.execute(tx)
  return rows[0]!
}

/** A moderator who opens an automatically closed thread also ends the cause: it does not close again. */
const reopening = ({ state }: ThreadChange): Record<string, RawBuilder<unknown>> => {
  if (state !== 'open') return {}
  const isOver = sql`${closesAt('threads')} <= clock_timestamp()`
  return {
    closesAt: sql`case when closes_at > clock_timestamp() then closes_at end`,
    staysOpen: sql`stays_open or closes_at is null and coalesce(${isOver}, false)`,
  }
}

/** Readers cannot see this setting, so the version stays the same. */
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

const suggesterIsErased = sql`exists (
  select from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
  where c.site_id = t.site_id and c.thread_id = t.id and c.id = t.suggested_by and a.erased_at is not null)`

/** Locks the rows of threads by id, as every write to several threads does. */
export const lockThreadRows = async (
  tx: Tx,
  siteId: number,
  ids: readonly number[],
): Promise<void> => {
  await tx.executeQuery(LOCK_THREAD_ROWS({ siteId, ids }))
}

/** The statement of `lockThreadRows`. */
export const LOCK_THREAD_ROWS = prepare<{ siteId: number; ids: readonly number[] }, unknown>(
  (of) => sql`
    select 1 from threads where site_id = ${of.siteId} and id = any(${of.ids}::bigint[])
    order by id for no key update`,
)

/**
 * The statements that give threads new versions; the rows of the second are the versions. A statement of its own
 * locks the rows of the threads: an update in the locking statement would start from the rows of its snapshot, which
 * other transactions may have replaced.
 */
export const writeVersions = (
  siteId: number,
  ids: readonly number[],
): readonly [Query, Query<ThreadVersion>] => [
  LOCK_THREAD_ROWS({ siteId, ids }),
  TOUCH_THREADS({ siteId, ids }),
]

export type ThreadVersion = { readonly id: number; readonly version: number }

const TOUCH_THREADS = prepare<{ siteId: number; ids: readonly number[] }, ThreadVersion>(
  (of) => sql`
    update threads t set version = ${nextVersion},
      suggested_title = case when ${suggesterIsErased} then null else suggested_title end,
      suggested_url = case when ${suggesterIsErased} then null else suggested_url end
    where site_id = ${of.siteId} and id = any(${of.ids}::bigint[])
    returning id, version`,
)

/** Gives threads new versions. */
export const touchThreads = async (
  tx: Tx,
  siteId: number,
  ids: readonly number[],
): Promise<void> => {
  await sendTogether(tx, writeVersions(siteId, ids))
}
