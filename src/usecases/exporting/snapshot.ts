import type { PublicIds } from '../../domain/public-id.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { ExportPage } from '../../postgres/exporting/exported-rows.ts'
import type { Continued } from '../../postgres/exporting/imported-ids.ts'

/** Rows that one statement reads. Their texts are in memory together. */
const BATCH = 500

/** A site at one moment, while it is written elsewhere. */
export type Snapshot = {
  readonly tx: Tx
  readonly siteId: number
  readonly ids: PublicIds
  readonly continued: Continued | undefined
}

export type List<At, Row extends At> = (tx: Tx, page: ExportPage<At>) => Promise<Row[]>

export async function* pages<At, Row extends At>(
  { tx, siteId }: Snapshot,
  start: At,
  list: List<At, Row>,
): AsyncGenerator<Row[]> {
  for (let after: At | undefined = start; after !== undefined; ) {
    const page: Row[] = await list(tx, { siteId, after, limit: BATCH })
    if (page.length > 0) yield page
    after = page.length < BATCH ? undefined : page.at(-1)
  }
}

/**
 * Reads the first value of a generator now, and returns the generator with that value put back. It ends properly even
 * if it is never read.
 */
export const startNow = async <T>(values: AsyncGenerator<T>): Promise<AsyncGenerator<T>> => {
  let first: IteratorResult<T> | undefined = await runQuery(values.next())
  const next = async (): Promise<IteratorResult<T>> => {
    const result = first ?? (await values.next())
    first = undefined
    return result
  }
  const started: AsyncGenerator<T> = {
    next,
    return: (value) => values.return(value),
    throw: (error) => values.throw(error),
    [Symbol.asyncIterator]: () => started,
    [Symbol.asyncDispose]: async () => void (await values.return(undefined)),
  }
  return started
}
