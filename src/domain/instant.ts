/** A time as RFC 3339 in UTC with milliseconds: `2026-11-23T09:30:00.125Z`. Later times compare greater. */
export type Instant = string

export const instantOf = (milliseconds: number): Instant => new Date(milliseconds).toISOString()
