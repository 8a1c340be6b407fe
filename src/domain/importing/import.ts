import type { Instant } from '../instant.ts'
import type { ImportFormat } from './records.ts'

export const IMPORT_STATES = [
  'uploading',
  'waiting',
  'running',
  'done',
  'failed',
  'cancelled',
] as const
export type ImportState = (typeof IMPORT_STATES)[number]

export const UNAPPROVED = ['keep', 'skip'] as const
/** Whether an import keeps comments that readers of the other system could not see. */
export type Unapproved = (typeof UNAPPROVED)[number]

/** An import as its administrator sees it. */
export type Import = {
  readonly id: number
  readonly state: ImportState
  readonly dryRun: boolean
  readonly unapproved: Unapproved
  readonly wantedFormat: ImportFormat | null
  readonly wantedOrigin: string | null
  readonly byteCount: number
  readonly report: ImportReport | null
  readonly fault: ImportFault | null
  /** Stored id of the key or member, or `operator`. */
  readonly askedBy: string
  readonly askedAt: Instant
  readonly endedAt: Instant | null
}

/** Why an import failed. Line and column are those of the file, if they are known. */
export type ImportFault = {
  readonly detail: string
  readonly line: number | null
  readonly column: number | null
}

/** A list of a report: all are counted, and the first are named. */
export type Listed<T> = { readonly total: number; readonly items: readonly T[] }

/** The result of an import, or of its dry run: the same for a dry run and the run after it. */
export type ImportReport = {
  readonly format: ImportFormat
  readonly origin: string
  /** Of the file, how much was read. */
  readonly readBytes: number
  readonly comments: {
    /** Comments of the file, those that were skipped included. */
    readonly total: number
    readonly created: number
    readonly updated: number
    readonly unchanged: number
    /** Comments by the reason why the import skipped them. */
    readonly skipped: Readonly<Record<string, number>>
  }
  readonly threads: { readonly created: number; readonly matched: number }
  readonly authors: { readonly created: number; readonly matched: number }
  /** Ids of comments whose parent is missing, or that were their own parent: they became root comments. */
  readonly orphans: Listed<{ readonly id: string; readonly reason: 'missing' | 'cycle' }>
  /** Comments below the depth limit of the site: each moved up, below the deepest possible parent. */
  readonly cut: number
  readonly duplicates: Listed<{ readonly id: string }>
  readonly repairs: Listed<{
    readonly what: string
    readonly line: number
    readonly column: number
  }>
  /** Changes that the import left alone, because somebody has decided or edited here since. */
  readonly keptHere: Listed<{ readonly id: string; readonly what: 'status' | 'text' }>
}
