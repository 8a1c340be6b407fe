import { sql } from 'kysely'
import type { Reason, Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { DecisionAction } from '../../domain/moderation/decision.ts'
import { AUTOMATIC } from '../../domain/people/caller.ts'
import type { Tx } from '../connection/db.ts'
import { recordDecisionForChecks } from '../screening/check-reports.ts'

/** Fields that a decision changed apart from the status, by their names in the API. */
export type Difference = Readonly<Record<string, unknown>>

/** One row of the moderation log. Fields that do not apply are null. */
export type Decision = {
  readonly id: number
  readonly action: DecisionAction
  readonly threadId: number | null
  readonly commentId: number | null
  /** The author of the comment, or the author that the decision is on. */
  readonly authorId: number | null
  /** The article, author or ban that the decision is on, if it is on no comment. */
  readonly subject: string | null
  readonly from: Status | null
  readonly to: Status | null
  readonly before: Difference | null
  readonly after: Difference | null
  readonly reason: Reason | null
  readonly note: string | null
  /** The decision that cascaded to this comment. */
  readonly causedBy: number | null
  readonly batchId: number | null
  /** The decision that this one undoes. */
  readonly undoes: number | null
  /** The decision that undid this one. */
  readonly undoneBy: number | null
  /** The policy in force at that time. */
  readonly policyVersion: number | null
  readonly by: string
  /** The key or member that had rules judge the comment again. Null for other decisions. */
  readonly askedBy: string | null
  readonly at: Instant
}

/** The fields that all decisions written together share. */
export type DecisionOrigin = {
  readonly siteId: number
  readonly by: string
  readonly reason?: Reason | null
  readonly note?: string | null
  readonly batchId?: number | null
  /** Default: now. */
  readonly at?: Instant
}

/**
 * A missing field is null; a missing action is `status`. A missing `authorId` is that of the comment.
 */
export type NewDecision = Partial<
  Omit<Decision, keyof DecisionOrigin | 'id' | 'at' | 'askedBy' | 'policyVersion' | 'undoneBy'>
>

/** Columns of `decisions`. */
export const decisionColumns = sql`id, action, thread_id, comment_id, author_id, subject, from_status as "from", to_status as "to",
  before, after, reason, note, caused_by, batch_id, undoes, policy_version, decided_by as "by",
  decided_at as "at"`

/** How long the comment waited since it was posted, last edited, or sent back to the queue. */
const heldMs = sql`extract(epoch from moment.now - greatest(c.created_at, c.edited_at, (
  select h.decided_at from decisions h
  where h.site_id = c.site_id and h.comment_id = c.id and h.to_status = 'pending'
  order by h.id desc limit 1))) * 1000`

/**
 * Appends decisions in the given order and ends the claims on their comments. A row names the thread in
 * which its comment was posted, which finds the comment even after a move. Decisions of moderators are
 * reported to checks.
 * @returns the decisions in the same order
 */
export const insertDecisions = async (
  tx: Tx,
  { siteId, by, reason = null, note = null, batchId = null, at }: DecisionOrigin,
  decisions: readonly NewDecision[],
): Promise<Decision[]> => {
  const all = <T>(pick: (decision: NewDecision) => T) => decisions.map((one) => pick(one) ?? null)
  const { rows } = await sql<Decision>`
    with ended as (
      delete from claims where site_id = ${siteId}
        and comment_id = any(${all((one) => one.commentId)}::bigint[])
    )
    insert into decisions (site_id, action, thread_id, comment_id, subject, from_status, to_status,
      before, after, caused_by, undoes, reason, note, batch_id, decided_by, decided_at, policy_version,
      author_id, held_ms)
    select ${siteId}, coalesce(d.action, 'status'), coalesce(c.home_thread_id, d.thread_id), d.comment_id, d.subject, d.from_status,
      d.to_status, d.before, d.after, d.caused_by, d.undoes, ${reason}, ${note}, ${batchId}::bigint,
      ${by}, moment.now, s.policy_version, coalesce(d.author_id, c.author_id),
      case when d.from_status = 'pending' then ${heldMs} end
    from unnest(${all((one) => one.action)}::decision_action[], ${all((one) => one.threadId)}::bigint[],
      ${all((one) => one.commentId)}::bigint[], ${all((one) => one.subject)}::text[],
      ${all((one) => one.from)}::comment_status[], ${all((one) => one.to)}::comment_status[],
      ${all((one) => one.before && JSON.stringify(one.before))}::jsonb[],
      ${all((one) => one.after && JSON.stringify(one.after))}::jsonb[],
      ${all((one) => one.causedBy)}::bigint[], ${all((one) => one.undoes)}::bigint[],
      ${all((one) => one.authorId)}::bigint[])
      with ordinality as d (action, thread_id, comment_id, subject, from_status, to_status, before,
        after, caused_by, undoes, author_id, ordinal)
    -- "offset 0" keeps this a look-up per comment, whatever the planner estimates
    left join lateral (
      select * from comments where site_id = ${siteId} and thread_id = d.thread_id and id = d.comment_id
      offset 0
    ) c on true
    cross join
      (select coalesce(${at}::timestamptz, clock_timestamp()) as now) moment
    cross join (select policy_version from sites where id = ${siteId}) s
    order by d.ordinal
    returning ${decisionColumns}, null::bigint as undone_by, null::text as asked_by`.execute(tx)
  if (!AUTOMATIC.includes(by)) await recordDecisionForChecks(tx, { siteId, batchId }, decisions)
  return rows
}

export const insertDecision = async (
  tx: Tx,
  decision: DecisionOrigin & NewDecision,
): Promise<Decision> => (await insertDecisions(tx, decision, [decision]))[0]!
