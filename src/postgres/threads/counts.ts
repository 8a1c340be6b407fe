import { sql } from 'kysely'
import { isVisible } from '../comments/visible.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import { LOCK_THREAD_ROWS, nextVersion, type ThreadVersion } from './threads.ts'

/** How many more comments and root comments a thread shows; negative if fewer. */
export type ThreadGain = {
  readonly threadId: number
  readonly comments: number
  readonly roots: number
}

/**
 * The statements that add to the counts of threads after comments became visible or hidden; the rows of the second
 * are the new versions. The caller holds the exclusive thread locks. A statement of its own locks the rows, as in
 * `writeVersions`.
 * @param newIds comments that are visible now. The first of them that was posted in its thread and names
 * the article does so from now on, unless another visible comment does.
 */
export const adjustThreadCounts = (
  siteId: number,
  gains: readonly ThreadGain[],
  newIds: readonly number[],
): readonly [Query | undefined, Query<ThreadVersion> | undefined] => {
  if (gains.length === 0) return [undefined, undefined]
  const ids = gains.map(({ threadId }) => threadId)
  const comments = gains.map((gain) => gain.comments)
  const roots = gains.map((gain) => gain.roots)
  return [
    LOCK_THREAD_ROWS({ siteId, ids }),
    ADJUST_COUNTS({ siteId, ids, comments, roots, newIds }),
  ]
}

type Adjusted = {
  readonly siteId: number
  readonly ids: readonly number[]
  readonly comments: readonly number[]
  readonly roots: readonly number[]
  readonly newIds: readonly number[]
}

const ADJUST_COUNTS = prepare<Adjusted, ThreadVersion>((of) => {
  const stands = sql`exists (select from comments c where c.site_id = ${of.siteId} and c.thread_id = t.id
    and c.id = t.suggested_by and ${isVisible('c.status')})`
  const suggestion = (
    kept: string,
    column: string,
  ) => sql`case when ${stands} then ${sql.ref(kept)} else (
    select ${sql.ref(`c.${column}`)} from comments c
    where c.site_id = ${of.siteId} and c.thread_id = t.id and c.id = any(${of.newIds}::bigint[])
      and c.home_thread_id is null and c.article_url is not null order by c.id limit 1) end`
  return sql`
    update threads t set comment_count = t.comment_count + n.gain, root_count = t.root_count + n.root_gain,
      last_comment_at = (
        select max(c.created_at) from comments c where c.site_id = ${of.siteId} and c.thread_id = t.id and ${isVisible('c.status')}),
      suggested_by = ${suggestion('t.suggested_by', 'id')},
      suggested_title = ${suggestion('t.suggested_title', 'article_title')},
      suggested_url = ${suggestion('t.suggested_url', 'article_url')},
      version = ${nextVersion}
    from unnest(${of.ids}::bigint[], ${of.comments}::int[], ${of.roots}::int[]) as n (id, gain, root_gain)
    where t.site_id = ${of.siteId} and t.id = n.id
    returning t.id, t.version`
})
