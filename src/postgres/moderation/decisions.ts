import { sql } from 'kysely'
import type { Reason, Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { DecisionAction } from '../../domain/moderation/decision.ts'
import { AUTOMATIC } from '../../domain/people/caller.ts'
import type { Tx } from '../connection/db.ts'
import { type Send, sendTogether } from '../connection/pipeline.ts'
import { prepare } from '../connection/prepared.ts'
import { recordDecisionsForChecks } from '../screening/check-reports.ts'

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
 * A missing field is null; a missing action is `status`. A missing `authorId` is that of the comment. Missing fields
 * of a statement are those of the origin.
 */
export type NewDecision = Partial<
  Omit<Decision, 'batchId' | 'id' | 'at' | 'askedBy' | 'policyVersion' | 'undoneBy'>
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
  { siteId, batchId = null, at, ...origin }: DecisionOrigin,
  decisions: readonly NewDecision[],
  send: Send = (queries) => sendTogether(tx, queries),
): Promise<Decision[]> => {
  const rows = decisions.map((decision) => ({ reason: null, note: null, ...origin, ...decision }))
  const ofModerators = rows.filter(({ by }) => !AUTOMATIC.includes(by))
  const [inserted] = await send([
    INSERT_DECISIONS({ siteId, batchId, at: at ?? null, ...columnsOf(rows) }),
    ...recordDecisionsForChecks({ siteId, batchId }, ofModerators),
  ])
  return inserted
}

const columnsOf = (rows: readonly (NewDecision & { readonly by: string })[]) => {
  const all = <T>(pick: (row: NewDecision) => T) => rows.map((row) => pick(row) ?? null)
  return {
    actions: all(({ action }) => action),
    threadIds: all(({ threadId }) => threadId),
    commentIds: all(({ commentId }) => commentId),
    subjects: all(({ subject }) => subject),
    from: all(({ from }) => from),
    to: all(({ to }) => to),
    before: all(({ before }) => before && JSON.stringify(before)),
    after: all(({ after }) => after && JSON.stringify(after)),
    causedBy: all(({ causedBy }) => causedBy),
    undoes: all(({ undoes }) => undoes),
    authorIds: all(({ authorId }) => authorId),
    reasons: all(({ reason }) => reason),
    notes: all(({ note }) => note),
    by: rows.map(({ by }) => by),
  }
}

type Columns = Required<Pick<DecisionOrigin, 'siteId'>> & {
  readonly batchId: number | null
  readonly at: Instant | null
} & ReturnType<typeof columnsOf>

const INSERT_DECISIONS = prepare<Columns, Decision>(
  (of) => sql`
    with ended as (
      delete from claims where site_id = ${of.siteId} and comment_id = any(${of.commentIds}::bigint[])
    )
    insert into decisions (site_id, action, thread_id, comment_id, subject, from_status, to_status,
      before, after, caused_by, undoes, reason, note, batch_id, decided_by, decided_at, policy_version,
      author_id, held_ms)
    select ${of.siteId}, coalesce(d.action, 'status'), coalesce(c.home_thread_id, d.thread_id), d.comment_id, d.subject, d.from_status,
      d.to_status, d.before, d.after, d.caused_by, d.undoes, d.reason, d.note, ${of.batchId}::bigint,
      d.decided_by, moment.now, s.policy_version, coalesce(d.author_id, c.author_id),
      case when d.from_status = 'pending' then ${heldMs} end
    from unnest(${of.actions}::decision_action[], ${of.threadIds}::bigint[], ${of.commentIds}::bigint[],
      ${of.subjects}::text[], ${of.from}::comment_status[], ${of.to}::comment_status[],
      ${of.before}::jsonb[], ${of.after}::jsonb[], ${of.causedBy}::bigint[], ${of.undoes}::bigint[],
      ${of.authorIds}::bigint[], ${of.reasons}::decision_reason[], ${of.notes}::text[], ${of.by}::text[])
      with ordinality as d (action, thread_id, comment_id, subject, from_status, to_status, before,
        after, caused_by, undoes, author_id, reason, note, decided_by, ordinal)
    -- "offset 0" keeps this a look-up per comment, whatever the planner estimates
    left join lateral (
      select * from comments where site_id = ${of.siteId} and thread_id = d.thread_id and id = d.comment_id
      offset 0
    ) c on true
    cross join
      (select coalesce(${of.at}::timestamptz, clock_timestamp()) as now) moment
    cross join (select policy_version from sites where id = ${of.siteId}) s
    order by d.ordinal
    returning ${decisionColumns}, null::bigint as undone_by, null::text as asked_by`,
)

export const insertDecision = async (
  tx: Tx,
  decision: DecisionOrigin & NewDecision,
): Promise<Decision> => (await insertDecisions(tx, decision, [decision]))[0]!
