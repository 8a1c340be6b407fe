/** RFC 3339 in UTC with milliseconds, `2026-11-23T09:30:00.125Z`: as it goes out. Later is greater. */
export type Instant = string

/** Where time begins, for whoever looks for the latest of none. */
export const FIRST_INSTANT: Instant = '0000-01-01T00:00:00.000Z'

export const instantOf = (milliseconds: number): Instant => new Date(milliseconds).toISOString()
