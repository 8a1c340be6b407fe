import { EXPORT_VERSION } from '../../domain/exporting/lines.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction, readingSnapshot } from '../../postgres/connection/transaction.ts'
import * as rows from '../../postgres/exporting/exported-rows.ts'
import * as imported from '../../postgres/exporting/imported-ids.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { Context } from '../context.ts'
import { type Names, presentRows } from './names.ts'
import * as present from './present-lines.ts'
import { type List, pages, type Snapshot, startNow } from './snapshot.ts'
import { writeDisqus } from './write-disqus.ts'
import { writeLines } from './write-lines.ts'
import { writeWxr } from './write-wxr.ts'

export const EXPORT_FORMATS = ['jsonl', 'wxr', 'disqus'] as const
/** `jsonl` is our own format, with everything; the others have threads and comments. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export type ExportRequest = {
  readonly site: Pick<Site, 'id' | 'slug' | 'name'>
  /** Stored id of the key or member who asks, or `operator`. */
  readonly by: string
}

type ExportContext = Pick<Context, 'writes' | 'exports' | 'idsOf'>

/**
 * Writes a site as text, in pieces. The audit log records the export before its first piece. A database without a
 * connection to spare refuses before the first piece too.
 */
export const writeExport = async (
  context: ExportContext,
  { format, ...request }: ExportRequest & { readonly format: ExportFormat },
): Promise<AsyncGenerator<string>> => {
  await record(context, request)
  return startNow(readPieces(context, request, format))
}

/** Exports everything of a site that another Afterword can take over, as JSON values, one per line. */
export const exportSite = async (
  context: ExportContext,
  request: ExportRequest,
): Promise<AsyncGenerator<object>> => {
  await record(context, request)
  return startNow(readValues(context, request))
}

const record = ({ writes }: ExportContext, { site, by }: ExportRequest): Promise<void> =>
  inTransaction(writes, (tx) =>
    insertAuditEntry(tx, { siteId: site.id, action: 'site_exported', subject: site.slug, by }),
  )

async function* readPieces(
  context: ExportContext,
  request: ExportRequest,
  format: ExportFormat,
): AsyncGenerator<string> {
  if (format === 'jsonl') {
    yield* writeLines(readValues(context, request))
    return
  }
  const write = format === 'wxr' ? writeWxr : writeDisqus
  for await (const snapshot of openSnapshot(context, request))
    yield* write(snapshot, request.site.name)
}

async function* readValues(
  context: ExportContext,
  request: ExportRequest,
): AsyncGenerator<object, void> {
  for await (const snapshot of openSnapshot(context, request)) {
    const { tx, siteId } = snapshot
    yield { format: 'afterword', version: EXPORT_VERSION, origin: originOf(snapshot) }
    yield present.presentSite(await rows.findExportedSite(tx, siteId))
    yield* readPeople(snapshot)
    yield* readComments(snapshot)
    yield* readRecords(snapshot)
    yield* readImportedIds(snapshot)
  }
}

async function* openSnapshot(
  { exports, idsOf }: ExportContext,
  { site }: ExportRequest,
): AsyncGenerator<Snapshot, void> {
  for await (const tx of readingSnapshot(exports)) {
    const continued = await imported.findContinued(tx, site.id)
    yield { tx, siteId: site.id, ids: idsOf(site.id), continued }
  }
}

/** The origin of the ids in an export: the site itself, or the one that it continues. */
export const originOf = ({
  siteId,
  ids,
  continued,
}: Pick<Snapshot, 'siteId' | 'ids' | 'continued'>): string =>
  continued?.origin ?? `afterword:${ids.write('site', siteId)}`

async function* readPeople(snapshot: Snapshot): AsyncGenerator<object> {
  yield* walk(snapshot, BY_ID, rows.listExportedAuthors, present.presentAuthor)
  yield* walk(snapshot, BY_ID, rows.listExportedNotes, present.presentNote)
  yield* walk(snapshot, BY_ID, rows.listExportedReasons, present.presentReason)
  yield* walk(snapshot, BY_ID, rows.listExportedPolicies, present.presentPolicy)
  yield* walk(snapshot, BY_ID, rows.listExportedBans, present.presentBan)
}

async function* readComments(snapshot: Snapshot): AsyncGenerator<object> {
  yield* walk(snapshot, BY_ID, rows.listExportedThreads, present.presentThread)
  yield* walk(snapshot, BY_ID, rows.listExportedAliases, present.presentAlias)
  for await (const batch of pages(snapshot, BY_COMMENT, rows.listExportedComments))
    yield* withRevisions(snapshot, batch)
  yield* walk(snapshot, BY_PERSON, rows.listExportedVotes, present.presentVote)
}

async function* readRecords(snapshot: Snapshot): AsyncGenerator<object> {
  yield* walk(snapshot, BY_ID, rows.listExportedBatches, present.presentBatch)
  yield* walk(snapshot, BY_ID, rows.listExportedDecisions, present.presentDecision)
  yield* walk(snapshot, BY_PERSON, rows.listExportedFlags, present.presentFlag)
  yield* walk(snapshot, BY_ID, rows.listExportedAppeals, present.presentAppeal)
}

async function* readImportedIds(snapshot: Snapshot): AsyncGenerator<object> {
  const exceptOriginId = snapshot.continued?.originId ?? 0
  const authors = (tx: Tx, page: rows.ExportPage<typeof BY_SOURCE>) =>
    imported.listImportedAuthors(tx, { ...page, exceptOriginId })
  const comments = (tx: Tx, page: rows.ExportPage<typeof BY_SOURCE>) =>
    imported.listImportedComments(tx, { ...page, exceptOriginId })
  yield* walk(snapshot, BY_SOURCE, authors, present.presentAuthorId)
  yield* walk(snapshot, BY_SOURCE, comments, present.presentCommentId)
}

/** The start of every list. */
const BY_ID = { id: 0 }
const BY_COMMENT = { threadId: 0, id: 0 }
const BY_PERSON = { ...BY_COMMENT, authorId: 0 }
const BY_SOURCE = { originId: 0, sourceId: '' }

async function* walk<At, Row extends At>(
  snapshot: Snapshot,
  start: At,
  list: List<At, Row>,
  presentRow: (names: Names, row: Row) => object,
): AsyncGenerator<object> {
  for await (const page of pages(snapshot, start, list))
    yield* await presentRows(snapshot, page, presentRow)
}

/** Comments, each followed by its earlier texts. */
async function* withRevisions(
  snapshot: Snapshot,
  comments: readonly rows.ExportedComment[],
): AsyncGenerator<object> {
  const { tx, siteId } = snapshot
  const lines = await presentRows(snapshot, comments, present.presentComment)
  const commentIds = comments.filter(({ revision }) => revision > 1).map(({ id }) => id)
  const revisions = Map.groupBy(
    commentIds.length > 0 ? await rows.listExportedRevisions(tx, { siteId, commentIds }) : [],
    ({ commentId }) => commentId,
  )
  for (const [i, line] of lines.entries()) {
    yield line
    const earlier = revisions.get(comments[i]!.id)
    if (earlier)
      yield* await presentRows(snapshot, earlier, present.presentRevision(line as { id: string }))
  }
}
