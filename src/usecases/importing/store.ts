import type { Db, Tx } from '../../postgres/connection/db.ts'
import type { PreparedBatch } from '../../workers/importing/prepare-comments.ts'
import type { Effects } from './effects.ts'
import type { ImportContext, ImportRun } from './import-run.ts'
import type { Known } from './known.ts'

/** One batch of an import and the transaction that stores it. */
export type Store = {
  readonly context: ImportContext
  readonly run: ImportRun
  readonly known: Known
  readonly batch: PreparedBatch
  readonly db: Db
  /** The transaction that stores the batch, which is `db` too; null in a dry run. */
  readonly tx: Tx | null
  readonly effects: Effects
}
