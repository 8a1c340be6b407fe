import type { ImportFault, Unapproved } from '../../domain/importing/import.ts'
import type { ImportFormat, RepairRecord } from '../../domain/importing/records.ts'
import type { PreparedBatch } from './prepare-comments.ts'

export type ReaderOptions = {
  /** Null: the file tells. */
  readonly format: ImportFormat | null
  readonly unapproved: Unapproved
  /** Comments of a batch, at most. */
  readonly batchSize: number
}

/** The options of the thread, and the folder that it keeps records in. */
export type ReaderTask = ReaderOptions & { readonly folder: string }

export type ReaderRequest =
  | { readonly write: Uint8Array }
  | { readonly end: true }
  | { readonly next: true }

export type ReaderReply = {
  readonly summary?: StagedSummary
  readonly batch?: ReaderBatch | null
  readonly fault?: ImportFault
  readonly error?: Error
}

/** Comments of another system, or lines of an export of this service. */
export type ReaderBatch = PreparedBatch | { readonly lines: readonly unknown[] }

/** The counts of a file that was read. */
export type StagedSummary = {
  readonly format: ImportFormat
  readonly origin: string
  /** Comments to be stored; those that were skipped are not counted. */
  readonly comments: number
  /** Comments, or lines of an export of this service. */
  readonly records: number
  readonly duplicates: number
  readonly duplicateIds: readonly string[]
  readonly skipped: Readonly<Record<string, number>>
  readonly repairs: number
  readonly firstRepairs: readonly Omit<RepairRecord, 'kind'>[]
}
