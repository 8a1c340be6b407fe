import { type RawBuilder, sql } from 'kysely'

/**
 * Whether a stored time is within a span before `now`, a column. A clock that was set back leaves times ahead of now: they count
 * until the span has passed, if they are at most a span ahead, and otherwise not. So a step of any size delays a wait
 * by one span at most.
 */
export const isNear = (
  column: string,
  span: RawBuilder<unknown>,
  now: RawBuilder<unknown> = sql`now`,
): RawBuilder<boolean> =>
  sql<boolean>`(${sql.ref(column)} > ${now} - ${span} and ${sql.ref(column)} <= ${now} + ${span})`

/**
 * Whether a stored end is ahead of now by no more than twice the longest span that it can have been given, for the same
 * reason.
 */
export const isAhead = (
  column: string,
  longest: RawBuilder<unknown>,
  now: RawBuilder<unknown> = sql`clock_timestamp()`,
): RawBuilder<boolean> =>
  sql<boolean>`(${sql.ref(column)} > ${now} and ${sql.ref(column)} <= ${now} + 2 * ${longest})`
