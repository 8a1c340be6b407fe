import type { ImportFault } from '../../domain/importing/import.ts'
import type { Job, JobResult } from '../../domain/job.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  deleteChunks,
  findChunk,
  findImport,
  updateImport,
} from '../../postgres/importing/imports.ts'
import { reportProgress } from '../../postgres/jobs/jobs.ts'
import { findSite } from '../../postgres/service/sites.ts'
import { UnreadableImport } from '../../workers/importing/import-reader.ts'
import type { Context } from '../context.ts'
import { type ImportProgress, ImportStopped } from './import-run.ts'
import { runImport } from './run-import.ts'

/** How often the progress is stored. */
const PROGRESS_MS = 500

type Key = { readonly siteId: number; readonly id: number }

/** Imports an uploaded file. A node that is killed leaves the rest to the next node. */
export const runImportJob = async (
  context: Context,
  job: Job<'run_import'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  const key = { siteId: job.siteId, id: job.payload.importId }
  const wanted = await runQuery(findImport(context.db, key))
  const site = job.slug === null ? undefined : await runQuery(findSite(context.db, job.slug))
  if (wanted && wanted.endedAt === null && site) {
    const follow = followJob(context, job, { key, signal })
    const chunks = readChunks(context, key)
    const result = await endImport(context, key, () =>
      runImport(context, {
        site,
        wanted,
        chunks,
        articleOf: () => undefined,
        isInBackground: true,
        onProgress: follow,
      }),
    )
    if (result === 'interrupted') return { againInMs: 0 }
  }
  await runQuery(deleteChunks(context.writes, key))
  return 'done'
}

async function* readChunks(context: Context, key: Key): AsyncGenerator<Uint8Array> {
  for (let place = 0; ; place++) {
    const bytes = await runQuery(findChunk(context.db, key, place))
    if (!bytes) return
    yield bytes
  }
}

/** Runs an import, and stores how it ended. */
export const endImport = async (
  context: Pick<Context, 'writes'>,
  key: Key,
  run: () => ReturnType<typeof runImport>,
): Promise<'ended' | 'interrupted'> => {
  try {
    const report = await run()
    await runQuery(updateImport(context.writes, key, { state: 'done', report }))
  } catch (error) {
    if (error instanceof ImportStopped) return error.isOver ? 'ended' : 'interrupted'
    if (!(error instanceof UnreadableImport)) throw error
    const fault: ImportFault = error.fault
    await runQuery(updateImport(context.writes, key, { state: 'failed', fault }))
  }
  return 'ended'
}

type Following = { readonly key: Key; readonly signal: AbortSignal }

/** Stores the progress, and stops the import when the node stops or another has the job. */
const followJob = (context: Context, job: Job, { key, signal }: Following) => {
  let [storedAt, stored] = [0, 0]
  return async (progress: ImportProgress): Promise<void> => {
    if (signal.aborted) throw new ImportStopped({ isOver: false })
    if (performance.now() - storedAt < PROGRESS_MS) return
    storedAt = performance.now()
    const done = progress.step === 'store' ? progress.comments : 0
    const isOurs = await runQuery(reportProgress(context.writes, job, done - stored))
    if (!isOurs) throw new ImportStopped({ isOver: false })
    stored = done
    const report = progress.step === 'store' ? progress.report : null
    const isRunning = await runQuery(
      updateImport(context.writes, key, { state: 'running', report }),
    )
    if (!isRunning) throw new ImportStopped({ isOver: true })
  }
}
