import { sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import { isVisible } from '../comments/visible.ts'
import type { Tx } from '../connection/db.ts'
import { enqueueJobsFrom } from '../jobs/jobs.ts'

/** A check considers a comment spam from this score on. */
const SPAM_SCORE = 0.5

/** `threadId`: the thread where the comment is now. */
type StatusDecision = {
  readonly threadId?: number | null
  readonly commentId?: number | null
  readonly from?: Status | null
  readonly to?: Status | null
}

/**
 * After a moderator's decision, the checks' answers cannot publish the comment any more. Akismet gets a
 * report where it was wrong, and when a comment changes between spam and approved, but not if a policy
 * decided for a moderator. Other checks get no reports.
 */
export const recordDecisionForChecks = async (
  tx: Tx,
  { siteId, batchId }: { siteId: number; batchId: number | null },
  decided: readonly StatusDecision[],
): Promise<void> => {
  const transitions = decided.filter(({ commentId, to }) => commentId && to)
  if (transitions.length === 0) return
  const ids = transitions.map(({ commentId }) => commentId)
  await sql`
    update jobs j set payload = j.payload || '{"mayPublish": false}'
    where j.site_id = ${siteId} and j.kind = 'ask_checks' and j.key = any(${ids}::text[])`.execute(
    tx,
  )
  await enqueueJobsFrom(
    tx,
    sql`select c.site_id, 'report_decision', c.id || ' ' || (asked->>'name'),
      jsonb_build_object('threadId', coalesce(c.home_thread_id, c.thread_id), 'id', c.id,
        'check', asked->>'name', 'isSpam', m.is_now = 'spam'), 0
    from unnest(${transitions.map(({ threadId }) => threadId)}::bigint[], ${ids}::bigint[],
      ${transitions.map(({ from }) => from)}::text[], ${transitions.map(({ to }) => to)}::text[])
      as m (thread_id, comment_id, was, is_now)
    join sites s on s.id = ${siteId}
    cross join lateral jsonb_array_elements(s.checks) asked
    join comments c
      on c.site_id = ${siteId} and c.thread_id = m.thread_id and c.id = m.comment_id
    cross join lateral (select c.facts->'checks'->(asked->>'name') as fact) answer
    where not exists (select from batches b
        where b.site_id = ${siteId} and b.id = ${batchId}::bigint and b.kind = 'judge')
      and asked->>'kind' = 'akismet' and (m.is_now = 'spam' or ${isVisible('m.is_now')})
      and answer.fact->>'state' = 'answered'
      and (m.was = 'spam' or ${isVisible('m.was')}
        or ((answer.fact->>'score')::float8 >= ${SPAM_SCORE}) <> (m.is_now = 'spam'))`,
  )
}
