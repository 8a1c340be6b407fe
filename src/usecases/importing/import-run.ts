import type { Import, ImportReport } from '../../domain/importing/import.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Context } from '../context.ts'

/** The dependencies of an import: the command line has no more. */
export type ImportContext = Pick<Context, 'db' | 'writes' | 'cacheTokens' | 'banHashes' | 'idsOf'>

export type ImportRun = {
  readonly site: Pick<Site, 'id' | 'maxDepth' | 'retentionDays' | 'articleIds'>
  readonly wanted: Pick<
    Import,
    'id' | 'dryRun' | 'unapproved' | 'wantedFormat' | 'wantedOrigin' | 'askedBy'
  >
  /** The article that the administrator gave to an address of the file. */
  readonly articleOf: (address: string) => string | undefined
  readonly chunks: AsyncIterable<Uint8Array>
  /** Whether requests come first: small batches, and a rest after each. */
  readonly isInBackground: boolean
  /** Is called after each step with what was done so far. Rejects to stop the import. */
  readonly onProgress: (progress: ImportProgress) => Promise<void>
}

export type ImportProgress =
  | { readonly step: 'read'; readonly bytes: number }
  | {
      readonly step: 'store'
      readonly comments: number
      /** Comments that are to be stored. */
      readonly total: number
      readonly report: ImportReport
    }

/** The import ends early: it is cancelled, or this node stops and another continues. */
export class ImportStopped extends Error {
  readonly isOver: boolean

  constructor({ isOver }: { readonly isOver: boolean }) {
    super(isOver ? 'the import has ended' : 'the import continues later')
    this.isOver = isOver
  }
}
