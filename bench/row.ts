import type { Bench } from './bench.ts'
import type { Goal } from './figures.ts'

/** One line of the table, before it is measured. */
export type Line = {
  readonly row: string
  readonly against: string
  readonly goal?: Goal
}

/** The result of a line. A null value could not be measured; the note gives the reason. */
export type Figure = {
  readonly value: number | null
  readonly low?: number
  readonly high?: number
  readonly unit?: string
  /** The measured command. */
  readonly command: string
  /** The rates behind the ratio, or the reason of a failure. */
  readonly note: string
  /** False if a condition besides the goal failed, null if the row could not check it. */
  readonly holds?: false | null
}

/** Lines that one measurement fills together. */
export type Row = {
  readonly lines: readonly Line[]
  readonly run: (bench: Bench) => Promise<readonly Figure[]>
  /** True if the row writes. Rows that only read run first. */
  readonly changes?: true
}

export type Measured = { readonly line: Line; readonly figure: Figure }
