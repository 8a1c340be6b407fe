import { sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { DecisionAction } from '../../domain/moderation/decision.ts'
import { AUTOMATIC } from '../../domain/people/caller.ts'
import type { Db } from '../connection/db.ts'

type ActionCount = {
  readonly action: DecisionAction
  /** Null if the action changes no status. */
  readonly to: Status | null
  readonly isAutomatic: boolean
  readonly count: number
}

/** Counts of the decisions since a time. */
export type DecisionCounts = {
  readonly since: Instant
  readonly counts: readonly ActionCount[]
  readonly undone: number
  readonly overturned: number
  /** Moderators' decisions on held comments, and how long the comments had waited; null without any. */
  readonly waited: {
    readonly count: number
    readonly medianMs: number | null
    readonly p90Ms: number | null
  }
}

/** At most this many decisions are counted, the latest ones. */
const MAX_COUNTED = 100_000

/** Reads a range of one covering index, and not the table. */
export const countDecisions = async (
  db: Db,
  { siteId, days, max = MAX_COUNTED }: { siteId: number; days: number; max?: number },
): Promise<DecisionCounts> => {
  const requested = sql`now() - make_interval(days => ${days})`
  const { rows } = await sql<DecisionCounts>`
    with latest as materialized (
      select decided_at, action, to_status, decided_by = any(${[...AUTOMATIC]}::text[]) as is_automatic,
        held_ms, undoes
      from decisions where site_id = ${siteId} and decided_at > ${requested}
      order by decided_at desc limit ${max + 1}
    ), span as (
      select case when count(*) > ${max} then min(decided_at) else ${requested} end as since from latest
    ), recent as (
      select * from latest where decided_at > (select since from span)
    ), counted as (
      select action, to_status as "to", is_automatic, count(*) as count from recent
      where undoes is null group by 1, 2, 3
    ), waited as (
      select count(*) as count,
        percentile_disc(array[0.5, 0.9]) within group (order by held_ms) as at
      from recent where held_ms is not null and undoes is null and not is_automatic
    )
    select since, (select count(undoes) from recent) as undone,
      (select count(*) from appeals where site_id = ${siteId} and outcome = 'overturned'
        and answered_at > since) as overturned,
      (select jsonb_build_object('count', count, 'medianMs', at[1], 'p90Ms', at[2]) from waited) as waited,
      coalesce((select jsonb_agg(jsonb_build_object('action', action, 'to', "to",
        'isAutomatic', is_automatic, 'count', count)) from counted), '[]') as counts
    from span`.execute(db)
  return rows[0]!
}

/** Held comments and open appeals now, with the age of the oldest. */
export type WaitingCounts = {
  readonly comments: number
  readonly oldestCommentAt: Instant | null
  readonly appeals: number
  readonly oldestAppealAt: Instant | null
}

export const countWaiting = async (db: Db, siteId: number): Promise<WaitingCounts> => {
  const { rows } = await sql<WaitingCounts>`
    select
      (select count(*) from comments where site_id = ${siteId} and status = 'pending') as comments,
      (select created_at from comments where site_id = ${siteId} and status = 'pending'
        order by id limit 1) as oldest_comment_at,
      (select count(*) from appeals where site_id = ${siteId} and outcome is null) as appeals,
      (select appealed_at from appeals where site_id = ${siteId} and outcome is null
        order by id limit 1) as oldest_appeal_at`.execute(db)
  return rows[0]!
}
