import type { Import, ImportState } from '../../domain/importing/import.ts'
import { importJob } from '../../domain/job.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import {
  countOpenImports,
  deleteChunks,
  findImport,
  listImports as findImports,
  insertChunk,
  insertImport,
  updateImport,
} from '../../postgres/importing/imports.ts'
import { acquireImportLock } from '../../postgres/importing/insert-imported.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { Context } from '../context.ts'

type Wanted = Pick<Import, 'dryRun' | 'unapproved' | 'wantedFormat' | 'wantedOrigin'>

export type StartedImport = Wanted & {
  readonly site: Site
  readonly administrator: StaffCaller
  /** The file, as it arrives. */
  readonly upload: AsyncIterable<Uint8Array>
}

/** A site imports one file at a time. */
const MAX_OPEN = 1
const MAX_FILE_BYTES = 4 * 1024 ** 3
const CHUNK_BYTES = 262_144

/**
 * Stores a file while it arrives, and enqueues the job that imports it. An upload that breaks off leaves a failed
 * import. Refuses with `site_busy` while the site has another import, and with `body_too_large`.
 */
export const startImport = async (
  context: Context,
  { site, administrator, upload, ...wanted }: StartedImport,
): Promise<Import> => {
  const siteId = site.id
  const askedBy = callerIdOf(administrator)
  const started = await inTransaction(context.writes, async (tx) => {
    await acquireImportLock(tx, siteId)
    if ((await countOpenImports(tx, siteId)) >= MAX_OPEN) throw new Refusal('site_busy')
    const made = await insertImport(tx, { siteId, state: 'uploading', askedBy, ...wanted })
    const subject = storedId('import', made.id)
    const after = { dry_run: wanted.dryRun, unapproved: wanted.unapproved }
    await insertAuditEntry(tx, { siteId, action: 'import_started', subject, by: askedBy, after })
    return made
  })
  const key = { siteId, id: started.id }
  try {
    await storeUpload(context, key, upload)
    return await inTransaction(context.writes, async (tx) => {
      if (!(await updateImport(tx, key, { state: 'waiting' }))) throw new Refusal('not_found')
      await enqueueJob(tx, importJob(key))
      return (await findImport(tx, key))!
    })
  } catch (error) {
    await endUpload(context, key).catch(() => {})
    throw error
  } finally {
    context.kick('run_import')
  }
}

type Key = { readonly siteId: number; readonly id: number }

const storeUpload = async (
  context: Context,
  key: Key,
  upload: AsyncIterable<Uint8Array>,
): Promise<void> => {
  let parts: Uint8Array[] = []
  let [size, total, place] = [0, 0, 0]
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(parts)
    ;[parts, size] = [[], 0]
    await runQuery(insertChunk(context.writes, key, { place: place++, bytes }))
  }
  for await (const part of upload) {
    parts.push(part)
    size += part.length
    total += part.length
    if (total > MAX_FILE_BYTES) throw new Refusal('body_too_large')
    if (size >= CHUNK_BYTES) await flush()
  }
  if (total === 0) throw new Refusal('invalid_request', { '': 'must be the file to import' })
  if (size > 0) await flush()
}

const BROKEN_OFF = { detail: 'The upload broke off.', line: null, column: null }

const endUpload = async (context: Context, key: Key): Promise<void> => {
  await updateImport(context.writes, key, { state: 'failed', fault: BROKEN_OFF })
  await deleteChunks(context.writes, key)
}

export const getImport = async (context: Context, site: Site, id: number): Promise<Import> => {
  const found = await runQuery(findImport(context.db, { siteId: site.id, id }))
  if (!found) throw new Refusal('not_found')
  return found
}

/** Lists imports of a site, latest first. */
export const listImports = async (
  context: Context,
  { site, beforeId, limit }: { site: Site; beforeId: number | null; limit: number },
): Promise<{ items: Import[]; nextId: number | null }> => {
  const rows = await runQuery(findImports(context.db, { siteId: site.id, beforeId, limit }))
  const items = rows.slice(0, limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}

const ENDED: readonly ImportState[] = ['done', 'failed', 'cancelled']

/** Stops an import after the transaction in progress. What it has stored stays. An ended import stays as it is. */
export const cancelImport = async (context: Context, site: Site, id: number): Promise<Import> => {
  const found = await getImport(context, site, id)
  if (ENDED.includes(found.state)) return found
  await runQuery(updateImport(context.writes, { siteId: site.id, id }, { state: 'cancelled' }))
  return getImport(context, site, id)
}
