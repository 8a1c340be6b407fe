import { EXPORT_VERSION } from '../../domain/exporting/lines.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Db, Tx } from '../../postgres/connection/db.ts'
import { inTransaction, readingSnapshot, runQuery } from '../../postgres/connection/transaction.ts'
import * as rows from '../../postgres/exporting/exported-rows.ts'
import * as imported from '../../postgres/exporting/imported-ids.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { Context } from '../context.ts'
import { type Names, presentRows } from './names.ts'
import * as present from './present-lines.ts'

/** Rows that one statement reads. Their texts are in memory together. */
const BATCH = 500

/** A site at one moment, while it is written elsewhere. */
export type Snapshot = {
  readonly tx: Tx
  readonly siteId: number
  readonly ids: PublicIds
  readonly continued: imported.Continued | undefined
}

/**
 * Exports everything of a site that another Afterword can take over, as JSON values, one per line. The audit log
 * records the export before its first line.
 */
export const exportSite = async (
  context: Pick<Context, 'writes' | 'exports' | 'idsOf'>,
  {
    site,
    by,
  }: { readonly site: Site /** Stored id of who asked, or `operator`. */; readonly by: string },
): Promise<AsyncGenerator<object>> => {
  await inTransaction(context.writes, (tx) =>
    insertAuditEntry(tx, {
      siteId: site.id,
      action: 'site_exported',
      subject: site.slug,
      by,
    }),
  )
  return startReading(context.exports, { siteId: site.id, ids: context.idsOf(site.id) })
}

/** Opens the snapshot and reads the first line, so that a database without a connection to spare refuses at the start. */
const startReading = async (
  db: Db,
  at: { readonly siteId: number; readonly ids: PublicIds },
): Promise<AsyncGenerator<object>> => {
  const lines = readLines(db, at)
  const first = await runQuery(lines.next())
  return (async function* () {
    try {
      yield first.value as object
      yield* lines
    } finally {
      await lines.return(undefined)
    }
  })()
}

async function* readLines(
  db: Db,
  { siteId, ids }: { readonly siteId: number; readonly ids: PublicIds },
): AsyncGenerator<object, void> {
  for await (const tx of readingSnapshot(db)) {
    const continued = await imported.findContinued(tx, siteId)
    const snapshot = { tx, siteId, ids, continued }
    yield { format: 'afterword', version: EXPORT_VERSION, origin: originOf(snapshot) }
    yield present.presentSite(await rows.findExportedSite(tx, siteId))
    yield* readPeople(snapshot)
    yield* readComments(snapshot)
    yield* readRecords(snapshot)
    yield* readImportedIds(snapshot)
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

type List<At, Row extends At> = (tx: Tx, page: rows.ExportPage<At>) => Promise<Row[]>

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
