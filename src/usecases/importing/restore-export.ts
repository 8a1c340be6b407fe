import { findFaultOfHeader, findFaultOfLine, type LineKind } from '../../domain/exporting/lines.ts'
import type { ImportReport } from '../../domain/importing/import.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import { findContinued } from '../../postgres/exporting/imported-ids.ts'
import { ensureOrigin, findOrigin } from '../../postgres/importing/imports.ts'
import {
  findThreadsOf,
  hasThreads,
  isEmptySite,
  markContinued,
} from '../../postgres/importing/restored-ids.ts'
import { recountThreads } from '../../postgres/importing/restored-rows.ts'
import { lockSiteRow, updateSite } from '../../postgres/service/sites.ts'
import { UnreadableFile } from '../../workers/importing/unreadable-file.ts'
import type { Context } from '../context.ts'
import { originOf } from '../exporting/export-site.ts'
import type { presentSite } from '../exporting/present-lines.ts'
import { invalidate } from '../invalidate.ts'
import * as restore from './restore-lines.ts'
import { findNames } from './restored-names.ts'

type RestoreContext = Pick<Context, 'db' | 'writes' | 'cacheTokens' | 'idsOf'>

export type RestoreRequest = {
  readonly site: Pick<Site, 'id'>
  readonly importId: number
  readonly dryRun: boolean
  /** Replaces the origin of the file. */
  readonly originOverride: string | null
}

/** Lines of one kind that one transaction stores. */
const BATCH = 500

type NumberedLine = restore.Numbered<{ readonly kind: LineKind } & Record<string, any>>

type Counts = {
  -readonly [K in 'comments' | 'threads' | 'authors']: { created: number; matched: number }
}

type State = {
  readonly context: RestoreContext
  readonly of: restore.Restoration
  readonly dryRun: boolean
  readonly counts: Counts
  readonly onProgress: (report: ImportReport) => Promise<void>
  readonly report: () => ImportReport
  /** The policy in force on the site of the export. */
  policyInForce: number
  /** The thread whose comments may continue: it is counted when they end. */
  openThread: number | undefined
}

/**
 * Stores a site export: in an empty site everything, with members and rights; in any other site the authors as guests,
 * and no settings, policies and judgements. Rows that an earlier run stored are found by their ids, so that a run
 * that was stopped continues.
 */
export const restoreExport = async (
  context: RestoreContext,
  request: RestoreRequest,
  batches: AsyncIterable<readonly unknown[]>,
  onProgress: (report: ImportReport) => Promise<void>,
): Promise<ImportReport> => {
  let state: State | undefined
  let number = 0
  let waiting: NumberedLine[] = []
  for await (const values of batches)
    for (const value of values) {
      number += 1
      if (!state) {
        state = await start(context, request, { header: value, onProgress })
        continue
      }
      const next = readLine(value, number)
      const [first] = waiting
      if (first && (groupOf(first) !== groupOf(next) || waiting.length >= BATCH)) {
        await store(state, waiting)
        waiting = []
      }
      waiting.push(next)
    }
  if (!state) throw new UnreadableFile('the file is empty', 1)
  if (waiting.length > 0) await store(state, waiting)
  await closeThread(state)
  return state.report()
}

/** The earlier texts of comments are between their comments. */
const groupOf = ({ kind }: NumberedLine): LineKind => (kind === 'revision' ? 'comment' : kind)

const readLine = (value: unknown, line: number): NumberedLine => {
  const fault = findFaultOfLine(value)
  if (fault) throw new UnreadableFile(fault, line)
  return { ...(value as NumberedLine), line }
}

const start = async (
  context: RestoreContext,
  { site, importId, dryRun, originOverride }: RestoreRequest,
  { header, onProgress }: { header: unknown; onProgress: State['onProgress'] },
): Promise<State> => {
  const fault = findFaultOfHeader(header)
  if (fault) throw new UnreadableFile(fault, 1)
  const origin = originOverride ?? (header as { origin: string }).origin
  const siteId = site.id
  const ids = context.idsOf(siteId)
  const found = await inTransaction(context.writes, (tx) =>
    openOrigin(tx, { siteId, origin, dryRun }),
  )
  const isOwn = originOf({ siteId, ids, continued: found.continued }) === origin
  const counts: Counts = {
    comments: { created: 0, matched: 0 },
    threads: { created: 0, matched: 0 },
    authors: { created: 0, matched: 0 },
  }
  const { originId, isWhole } = found
  return {
    context,
    of: { siteId, importId, ids, originId, isWhole, isOwn },
    dryRun,
    counts,
    onProgress,
    report: () => reportOf(origin, counts),
    policyInForce: 0,
    openThread: undefined,
  }
}

/** A site that is empty continues the site of the export from then on. */
const openOrigin = async (
  tx: Tx,
  { siteId, origin, dryRun }: { siteId: number; origin: string; dryRun: boolean },
) => {
  await lockSiteRow(tx, siteId)
  const isEmpty = await isEmptySite(tx, siteId)
  if (dryRun) {
    const continued = await findContinued(tx, siteId)
    const originId = (await findOrigin(tx, siteId, origin)) ?? 0
    return { originId, continued, isWhole: isEmpty || continued?.originId === originId }
  }
  const originId = await ensureOrigin(tx, siteId, origin)
  if (isEmpty) await markContinued(tx, { siteId, originId })
  const continued = await findContinued(tx, siteId)
  return { originId, continued, isWhole: continued?.originId === originId }
}

const reportOf = (origin: string, { comments, threads, authors }: Counts): ImportReport => ({
  format: 'afterword',
  origin,
  readBytes: 0,
  comments: {
    total: comments.created + comments.matched,
    created: comments.created,
    updated: 0,
    unchanged: comments.matched,
    skipped: {},
  },
  threads: { ...threads },
  authors: { ...authors },
  orphans: { total: 0, items: [] },
  cut: 0,
  duplicates: { total: 0, items: [] },
  repairs: { total: 0, items: [] },
  keptHere: { total: 0, items: [] },
})

const store = async (state: State, lines: readonly NumberedLine[]): Promise<void> => {
  const [{ line }] = lines as [NumberedLine]
  try {
    if (state.dryRun) await countLines(state, lines)
    else if (groupOf(lines[0]!) === 'comment') await storeComments(state, lines)
    else await storeLines(state, lines)
  } catch (error) {
    throw translateFault(error, line)
  }
  await state.onProgress(state.report())
}

/** Values that each are valid may still contradict each other. */
const translateFault = (error: unknown, line: number): unknown => {
  if (error instanceof restore.LineFault) return new UnreadableFile(error.message, error.line)
  const isOfData = error instanceof Refusal && error.code === 'invalid_request'
  const code = String((error as { code?: unknown }).code)
  return isOfData || code.startsWith('23')
    ? new UnreadableFile('the lines from here on contradict each other', line)
    : error
}

/** Rows of which each kind of line makes one. */
const storeLines = async (state: State, lines: readonly NumberedLine[]): Promise<void> => {
  await closeThread(state)
  const { context, of } = state
  const effect = await inTransaction(context.writes, async (tx) => {
    const names = await findNames(tx, of, lines)
    return storeKind(state, { tx, of, names }, lines as never)
  })
  const counted = COUNTED[lines[0]!.kind]
  if (counted && effect) add(state.counts[counted], effect)
}

const COUNTED: Partial<Record<LineKind, keyof Counts>> = { author: 'authors', thread: 'threads' }

const add = (sum: { created: number; matched: number }, effect: restore.Effect): void => {
  sum.created += effect.created
  sum.matched += effect.matched
}

const storeKind = async (
  state: State,
  act: restore.Act,
  lines: readonly any[],
): Promise<restore.Effect | undefined> => {
  const { kind } = lines[0] as NumberedLine
  if (kind === 'author') return restore.restoreAuthors(act, lines)
  if (kind === 'thread') return restore.restoreThreads(act, lines)
  if (kind === 'site') await restoreSite(state, act, lines[0])
  if (kind === 'policy') await restore.restorePolicies(act, lines, state.policyInForce)
  await KINDS[kind]?.(act, lines)
  return undefined
}

const KINDS: Partial<Record<LineKind, (act: restore.Act, lines: readonly any[]) => Promise<void>>> =
  {
    note: restore.restoreNotes,
    reason: restore.restoreReasons,
    ban: restore.restoreBans,
    alias: restore.restoreAliases,
    vote: restore.restoreVotes,
    batch: restore.restoreBatches,
    decision: restore.restoreDecisions,
    flag: restore.restoreFlags,
    appeal: restore.restoreAppeals,
    imported_author: restore.restoreAuthorIds,
    imported_comment: restore.restoreCommentIds,
  }

/** Settings come along until the site has its first thread. */
const restoreSite = async (
  state: State,
  { tx, of }: restore.Act,
  site: ReturnType<typeof presentSite>,
): Promise<void> => {
  state.policyInForce = site.policy_version
  if (!of.isWhole || (await hasThreads(tx, of.siteId))) return
  await updateSite(tx, of.siteId, {
    name: site.name,
    origins: site.origins,
    articleIds: site.article_ids,
    moderation: site.moderation,
    posting: site.who_may_post,
    state: site.state,
    reading: site.who_may_read,
    voting: site.voting,
    emailRequired: site.email_required,
    minBodyLength: site.min_body_length,
    maxBodyLength: site.max_body_length,
    language: site.language,
    reservedNames: site.reserved_names,
    loginUrl: site.login_url,
    editWindowSeconds: site.edit_window_seconds,
    maxDepth: site.max_depth,
    limits: site.limits,
    sorts: site.sorts,
    retentionDays: site.retention_days,
    flagThreshold: site.flag_threshold,
    closeAfterDays: site.close_after_days,
    slowModeSeconds: site.slow_mode_seconds,
  })
}

/** Stores comments with their earlier texts, and counts the threads that have no comments to come. */
const storeComments = async (state: State, lines: readonly NumberedLine[]): Promise<void> => {
  const { context, of } = state
  const comments = lines.filter(
    ({ kind }) => kind === 'comment',
  ) as unknown as restore.CommentLine[]
  const revisions = lines.filter(({ kind }) => kind === 'revision')
  const done = await inTransaction(context.writes, async (tx) => {
    const before = await findNames(tx, of, lines)
    await lockThreads(tx, state, { comments, known: [...before.comments.values()] })
    const act = { tx, of, names: await findNames(tx, of, lines) }
    const effect = await restore.restoreComments(act, comments)
    await restore.restoreRevisions(act, revisions as never)
    const last = effect.threadIds.at(-1) ?? state.openThread
    const ended = [...new Set([state.openThread, ...effect.threadIds])].filter(
      (id) => id !== undefined && id !== last,
    ) as number[]
    return { effect, last, changed: await recountThreads(tx, of.siteId, ended) }
  })
  state.openThread = done.last
  add(state.counts.comments, done.effect)
  await invalidateAll(state, done.changed)
}

/** A thread that is locked takes no moves, so that parents stay where they were found. */
const lockThreads = async (
  tx: Tx,
  { of, openThread }: State,
  {
    comments,
    known,
  }: { comments: readonly restore.CommentLine[]; known: readonly { threadId: number }[] },
): Promise<void> => {
  const { siteId } = of
  const articles = [...new Set(comments.map(({ article_id: id }) => id))]
  const threads = await findThreadsOf(tx, siteId, articles)
  const ids = new Set([...threads.values(), ...known.map(({ threadId }) => threadId)])
  if (openThread !== undefined) ids.add(openThread)
  for (const threadId of [...ids].sort((one, other) => one - other))
    await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
}

/** Counts the thread whose comments have ended. */
const closeThread = async (state: State): Promise<void> => {
  const { context, of, openThread: threadId } = state
  if (threadId === undefined) return
  const { siteId } = of
  const changed = await inTransaction(context.writes, async (tx) => {
    await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
    return recountThreads(tx, siteId, [threadId])
  })
  state.openThread = undefined
  await invalidateAll(state, changed)
}

const invalidateAll = async (
  { context, of }: State,
  threadIds: readonly number[],
): Promise<void> => {
  if (threadIds.length > 0) await invalidate(context, { siteId: of.siteId, threadIds })
}

/** Counts what storing the lines would do. */
const countLines = async (state: State, lines: readonly NumberedLine[]): Promise<void> => {
  const { context, of, counts } = state
  const { db } = context
  const names = await runQuery(findNames(db, of, lines))
  const count = (sum: { created: number; matched: number }, isKnown: boolean) =>
    add(sum, { created: Number(!isKnown), matched: Number(isKnown) })
  const articles = lines.flatMap(({ kind, article_id: id }) => (kind === 'thread' ? [id] : []))
  const threads =
    articles.length > 0 ? await runQuery(findThreadsOf(db, of.siteId, articles)) : new Map()
  for (const { kind, id, article_id: articleId } of lines)
    if (kind === 'comment') count(counts.comments, names.comments.has(id))
    else if (kind === 'author') count(counts.authors, names.authors.has(id))
    else if (kind === 'thread') count(counts.threads, threads.has(articleId))
}
