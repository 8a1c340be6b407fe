import type { Bench } from './bench.ts'
import type { Goal } from './figures.ts'

/** One line of the table, before it is measured. */
export type Line = {
  readonly row: string
  readonly against: string
  readonly goal?: Goal
}

/** What came out for a line. Null: it could not be measured, and the note says why. */
export type Figure = {
  readonly value: number | null
  readonly low?: number
  readonly high?: number
  readonly unit?: string
  /** What was run. */
  readonly command: string
  /** What else is to be known: the rates behind the ratio, or what went wrong. */
  readonly note: string
  /** False when something besides the goal is broken, null when it could not be told. */
  readonly holds?: false | null
}

/** What is measured in one go: one figure for each of the lines. */
export type Row = {
  readonly lines: readonly Line[]
  readonly run: (bench: Bench) => Promise<readonly Figure[]>
  /** It writes: what only reads is measured before. */
  readonly changes?: true
}

export type Measured = { readonly line: Line; readonly figure: Figure }
