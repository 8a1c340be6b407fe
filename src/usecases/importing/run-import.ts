import { setTimeout as sleep } from 'node:timers/promises'
import type { ImportReport } from '../../domain/importing/import.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { analyzeImported, ensureOrigin, findOrigin } from '../../postgres/importing/imports.ts'
import {
  type ImportReader,
  openImportReader,
  UnreadableImport,
} from '../../workers/importing/import-reader.ts'
import { UnreadableFile } from '../../workers/importing/unreadable-file.ts'
import { invalidate } from '../invalidate.ts'
import { type Counting, createCounting } from './counting.ts'
import type { ImportContext, ImportRun } from './import-run.ts'
import { createKnown } from './known.ts'
import { restoreExport } from './restore-export.ts'
import { storeBatch } from './store-batch.ts'

/**
 * Reads a file, and then stores its comments in transactions of some hundred. A fault of the file stops the import
 * before it has stored anything. An import that was stopped continues when it runs again: what it has stored is
 * found by its ids.
 */
export const runImport = async (context: ImportContext, run: ImportRun): Promise<ImportReport> => {
  const { wantedFormat: format, unapproved } = run.wanted
  const batchSize = run.isInBackground ? BACKGROUND_BATCH : BATCH
  const reader = await openImportReader({ format, unapproved, batchSize })
  try {
    const readBytes = await writeAll(reader, run)
    const summary = await reader.end()
    const counting = createCounting(
      { ...summary, origin: run.wanted.wantedOrigin ?? summary.origin },
      readBytes,
    )
    if (summary.format === 'afterword')
      return await restoreAll(context, run, { reader, counting, total: summary.records })
    await storeAll(context, run, { reader, counting, total: summary.records })
    if (!run.wanted.dryRun) await runQuery(analyzeImported(context.writes))
    return counting.report()
  } finally {
    await reader.close()
  }
}

const writeAll = async (
  reader: ImportReader,
  { chunks, onProgress, isInBackground }: ImportRun,
): Promise<number> => {
  let bytes = 0
  for await (const chunk of chunks) {
    const begun = performance.now()
    await reader.write(chunk)
    if (isInBackground) await sleep(performance.now() - begun)
    bytes += chunk.length
    await onProgress({ step: 'read', bytes })
  }
  return bytes
}

type Parts = {
  readonly reader: ImportReader
  readonly counting: Counting
  readonly total: number
}

/** Comments of a transaction. */
const BATCH = 1_000
const BACKGROUND_BATCH = 200

/** Comments after which the tables are analyzed, and how much later the next time is. */
const FIRST_ANALYZE = 4_000
const ANALYZE_FACTOR = 4

const storeAll = async (
  context: ImportContext,
  run: ImportRun,
  { reader, counting, total }: Parts,
): Promise<void> => {
  const { origin } = counting.report()
  const known = createKnown(await findOriginId(context, run, origin))
  let comments = 0
  let analyzeAt = FIRST_ANALYZE
  for (let next = reader.next(); ; ) {
    const batch = await next
    if (batch === null) return
    next = reader.next()
    // The batch after this one may fail while this one is stored.
    next.catch(() => {})
    if ('lines' in batch) throw new Error('lines belong to an export of this service')
    const begun = performance.now()
    const threadIds = await storeBatch(context, { run, counting, known }, batch)
    if (threadIds.length > 0) await invalidate(context, { siteId: run.site.id, threadIds })
    comments += batch.comments.length
    if (run.isInBackground) await sleep(performance.now() - begun)
    if (comments >= analyzeAt && !run.wanted.dryRun) {
      await runQuery(analyzeImported(context.writes))
      analyzeAt *= ANALYZE_FACTOR
    }
    await run.onProgress({ step: 'store', comments, total, report: counting.report() })
  }
}

/** Stores an export of this service. */
const restoreAll = async (
  context: ImportContext,
  { site, wanted, onProgress }: ImportRun,
  { reader, counting, total }: Parts,
): Promise<ImportReport> => {
  const { readBytes } = counting.report()
  let lines = 0
  const batches = async function* (): AsyncGenerator<readonly unknown[]> {
    for (let batch = await reader.next(); batch !== null; batch = await reader.next()) {
      if (!('lines' in batch)) throw new Error('an export of this service has lines')
      yield batch.lines
      lines += batch.lines.length
    }
  }
  const request = {
    site,
    importId: wanted.id,
    dryRun: wanted.dryRun,
    originOverride: wanted.wantedOrigin,
  }
  try {
    const report = await restoreExport(context, request, batches(), (soFar) =>
      onProgress({ step: 'store', comments: lines, total, report: { ...soFar, readBytes } }),
    )
    return { ...report, readBytes }
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error
    const { message: detail, line, column } = error
    throw new UnreadableImport({ detail, line, column })
  }
}

/** 0: a dry run from an origin of which nothing is stored. */
const findOriginId = async (
  context: ImportContext,
  { site, wanted }: ImportRun,
  origin: string,
): Promise<number> =>
  wanted.dryRun
    ? ((await runQuery(findOrigin(context.db, site.id, origin))) ?? 0)
    : inTransaction(context.writes, (tx) => ensureOrigin(tx, site.id, origin))
