import { sql } from 'kysely'
import { AUTOMATIC } from '../domain/caller.ts'
import type { DecisionAction } from '../domain/decision.ts'
import type { Instant } from '../domain/instant.ts'
import type { Status } from '../domain/status.ts'
import type { Db } from './connection/db.ts'

type Counted = {
  readonly action: DecisionAction
  /** Null where no status has changed. */
  readonly to: Status | null
  readonly isAutomatic: boolean
  readonly count: number
}

/** Of the decisions since a time. */
export type DecisionFigures = {
  readonly since: Instant
  readonly counts: readonly Counted[]
  readonly undone: number
  readonly overturned: number
  /** People's first decisions on what was held, and how long they took; null without any. */
  readonly waited: {
    readonly count: number
    readonly medianMs: number | null
    readonly p90Ms: number | null
  }
}

/** Reads the range of these days in one index that has all that is asked for, and not the table. */
export const figureDecisions = async (
  db: Db,
  { siteId, days }: { siteId: number; days: number },
): Promise<DecisionFigures> => {
  const { rows } = await sql<DecisionFigures>`
    with recent as materialized (
      select action, to_status, decided_by = any(${[...AUTOMATIC]}::text[]) as is_automatic, held_ms, undoes
      from decisions where site_id = ${siteId} and decided_at >= ${sinceOf(days)}
    ), counted as (
      select action, to_status as "to", is_automatic, count(*) as count from recent
      where undoes is null group by 1, 2, 3
    ), waited as (
      select count(*) as count, percentile_disc(0.5) within group (order by held_ms) as median_ms,
        percentile_disc(0.9) within group (order by held_ms) as p90_ms
      from recent where held_ms is not null and undoes is null and not is_automatic
    )
    select ${sinceOf(days)} as since, (select count(undoes) from recent) as undone,
      (select count(*) from appeals where site_id = ${siteId} and outcome = 'overturned'
        and answered_at >= ${sinceOf(days)}) as overturned,
      (select jsonb_build_object('count', count, 'medianMs', median_ms, 'p90Ms', p90_ms) from waited) as waited,
      coalesce((select jsonb_agg(jsonb_build_object('action', action, 'to', "to",
        'isAutomatic', is_automatic, 'count', count)) from counted), '[]') as counts`.execute(db)
  return rows[0]!
}

const sinceOf = (days: number) => sql`now() - make_interval(days => ${days})`

/** What waits at this moment, and since when the oldest of it does. */
export type Waiting = {
  readonly comments: number
  readonly oldestCommentAt: Instant | null
  readonly appeals: number
  readonly oldestAppealAt: Instant | null
}

export const figureWaiting = async (db: Db, siteId: number): Promise<Waiting> => {
  const { rows } = await sql<Waiting>`
    select
      (select count(*) from comments where site_id = ${siteId} and status = 'pending') as comments,
      (select created_at from comments where site_id = ${siteId} and status = 'pending'
        order by id limit 1) as oldest_comment_at,
      (select count(*) from appeals where site_id = ${siteId} and outcome is null) as appeals,
      (select appealed_at from appeals where site_id = ${siteId} and outcome is null
        order by id limit 1) as oldest_appeal_at`.execute(db)
  return rows[0]!
}
