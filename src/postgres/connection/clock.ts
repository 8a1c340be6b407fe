import { type RawBuilder, sql } from 'kysely'

/**
 * Whether a stored time is within a span before `now`, a column. A clock that was set back leaves times ahead of now.
 * A time at most one span ahead counts until the span has passed, and a later one does not count. So a step of any
 * size delays a wait by one span at most.
 */
export const isNear = (
  column: string,
  span: RawBuilder<unknown>,
  now: RawBuilder<unknown> = sql`now`,
): RawBuilder<boolean> =>
  sql<boolean>`(${sql.ref(column)} > ${now} - ${span} and ${sql.ref(column)} <= ${now} + ${span})`

/**
 * Whether a stored end is ahead of now, by at most twice the longest span that it can have been given. Ends that are
 * further ahead do not count, because a clock that was set back has left them.
 */
export const isAhead = (
  column: string,
  longest: RawBuilder<unknown>,
  now: RawBuilder<unknown> = sql`clock_timestamp()`,
): RawBuilder<boolean> =>
  sql<boolean>`(${sql.ref(column)} > ${now} and ${sql.ref(column)} <= ${now} + 2 * ${longest})`
