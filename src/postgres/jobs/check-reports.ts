import { sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { isVisible } from '../comments/visible.ts'
import type { Tx } from '../connection/db.ts'

/** From this score on a service has called a comment spam. */
const SPAM_SCORE = 0.5

/** Names the thread that the comment is in. */
type Decided = {
  readonly threadId?: number | null
  readonly commentId?: number | null
  readonly from?: Status | null
  readonly to?: Status | null
}

/**
 * Somebody has decided: what checks say from now on gives these comments to no reader. Akismet is to be
 * told where it was wrong, and of what goes from spam to readers or back, but not of what a policy has
 * decided for somebody. Nobody else is told anything.
 */
export const recordDecisionForChecks = async (
  tx: Tx,
  { siteId, batchId }: { siteId: number; batchId: number | null },
  decided: readonly Decided[],
): Promise<void> => {
  const moves = decided.filter(({ commentId, to }) => commentId && to)
  if (moves.length === 0) return
  await sql`
    with moves as (
      select * from unnest(${moves.map(({ threadId }) => threadId)}::bigint[],
        ${moves.map(({ commentId }) => commentId)}::bigint[],
        ${moves.map(({ from }) => from)}::text[], ${moves.map(({ to }) => to)}::text[])
        as m (thread_id, comment_id, was, is_now)
    ),
    held as (
      update check_questions q set may_publish = false from moves m
      where q.site_id = ${siteId} and q.comment_id = m.comment_id and q.may_publish
    )
    insert into check_reports (site_id, thread_id, comment_id, check_name, is_spam, asked_at, due_at)
    select c.site_id, c.thread_id, c.id, asked->>'name', m.is_now = 'spam', clock_timestamp(),
      clock_timestamp()
    from moves m
    join sites s on s.id = ${siteId}
    cross join lateral jsonb_array_elements(s.checks) asked
    join comments c
      on c.site_id = ${siteId} and c.thread_id = m.thread_id and c.id = m.comment_id
    cross join lateral (select c.facts->'checks'->(asked->>'name') as fact) said
    where not exists (select from batches b
        where b.site_id = ${siteId} and b.id = ${batchId}::bigint and b.kind = 'judge')
      and asked->>'kind' = 'akismet' and (m.is_now = 'spam' or ${isVisible('m.is_now')})
      and said.fact->>'state' = 'answered'
      and (m.was = 'spam' or ${isVisible('m.was')}
        or ((said.fact->>'score')::float8 >= ${SPAM_SCORE}) <> (m.is_now = 'spam'))
    on conflict (site_id, comment_id, check_name) do update set is_spam = excluded.is_spam,
      asked_at = excluded.asked_at, due_at = excluded.due_at, attempts = 0`.execute(tx)
}

export type Report = CommentKey & {
  readonly siteId: number
  readonly slug: string
  readonly checkName: string
  readonly isSpam: boolean
  readonly askedAt: Instant
  readonly attempts: number
}

/** Takes reports that are due; the next attempt of each, if it fails, comes twice as late. */
export const takeReports = async (
  tx: Tx,
  { limit, putOffMs }: { limit: number; putOffMs: number },
): Promise<Report[]> => {
  const { rows } = await sql<Report>`
    with due as (
      select site_id, comment_id, check_name from check_reports where due_at <= clock_timestamp()
      order by due_at limit ${limit} for update skip locked
    )
    update check_reports r set attempts = attempts + 1,
      due_at = clock_timestamp() + make_interval(secs => ${putOffMs / 1000} * power(2, attempts))
    from due, sites s
    where r.site_id = due.site_id and r.comment_id = due.comment_id
      and r.check_name = due.check_name and s.id = r.site_id
    returning r.site_id, r.thread_id, r.comment_id as id, s.slug, r.check_name, r.is_spam, r.asked_at,
      r.attempts`.execute(tx)
  return rows
}

/** Ends a report, unless another decision came since it was read. */
export const deleteReport = async (tx: Tx, report: Report): Promise<void> => {
  await tx
    .deleteFrom('checkReports')
    .where('siteId', '=', report.siteId)
    .where('commentId', '=', report.id)
    .where('checkName', '=', report.checkName)
    .where('askedAt', '=', report.askedAt)
    .execute()
}
