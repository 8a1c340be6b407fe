import { sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import { isVisible } from '../comments/visible.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import { writeJobsFrom } from '../jobs/jobs.ts'

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
 * The statements after decisions of moderators: the checks' answers cannot publish the comments any more. Akismet gets
 * a report where it was wrong, and when a comment changes between spam and approved, but not if a policy
 * decided for a moderator. Other checks get no reports.
 */
export const recordDecisionsForChecks = (
  { siteId, batchId }: { siteId: number; batchId: number | null },
  decided: readonly StatusDecision[],
): readonly [Query | undefined, Query | undefined] => {
  const transitions = decided.filter(({ commentId, to }) => commentId && to)
  if (transitions.length === 0) return [undefined, undefined]
  const ids = transitions.map(({ commentId }) => commentId!)
  const threadIds = transitions.map(({ threadId }) => threadId ?? null)
  const was = transitions.map(({ from }) => from ?? null)
  const isNow = transitions.map(({ to }) => to!)
  return [
    STOP_PUBLISHING({ siteId, ids }),
    ENQUEUE_REPORTS({ siteId, batchId, threadIds, ids, was, isNow }),
  ]
}

const STOP_PUBLISHING = prepare<{ siteId: number; ids: readonly number[] }, unknown>(
  (of) => sql`
    update jobs j set payload = j.payload || '{"mayPublish": false}'
    where j.site_id = ${of.siteId} and j.kind = 'ask_checks' and j.key = any(${of.ids}::text[])`,
)

type Reported = {
  readonly siteId: number
  readonly batchId: number | null
  readonly threadIds: readonly (number | null)[]
  readonly ids: readonly number[]
  readonly was: readonly (Status | null)[]
  readonly isNow: readonly Status[]
}

const ENQUEUE_REPORTS = prepare<Reported, unknown>((of) =>
  writeJobsFrom(
    sql`select c.site_id, 'report_decision', c.id || ' ' || (asked->>'name'),
      jsonb_build_object('threadId', coalesce(c.home_thread_id, c.thread_id), 'id', c.id,
        'check', asked->>'name', 'isSpam', m.is_now = 'spam'), 0
    from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[], ${of.was}::text[], ${of.isNow}::text[])
      as m (thread_id, comment_id, was, is_now)
    join sites s on s.id = ${of.siteId}
    cross join lateral jsonb_array_elements(s.checks) asked
    join comments c
      on c.site_id = ${of.siteId} and c.thread_id = m.thread_id and c.id = m.comment_id
    cross join lateral (select c.facts->'checks'->(asked->>'name') as fact) answer
    where not exists (select from batches b
        where b.site_id = ${of.siteId} and b.id = ${of.batchId}::bigint and b.kind = 'judge')
      and asked->>'kind' = 'akismet' and (m.is_now = 'spam' or ${isVisible('m.is_now')})
      and answer.fact->>'state' = 'answered'
      and (m.was = 'spam' or ${isVisible('m.was')}
        or ((answer.fact->>'score')::float8 >= ${sql.lit(SPAM_SCORE)}) <> (m.is_now = 'spam'))`,
  ),
)
