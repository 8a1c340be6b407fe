import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { AuditAction } from '../../domain/site/audit.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import { isMergeRunning } from '../../postgres/jobs/batches.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import * as rows from '../../postgres/threads/aliases.ts'
import { ensureThread, hasComments } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'

export type AliasRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly articleId: string
  readonly alias: string
}

/** A list of aliases stays short enough for people. */
const MAX_ALIASES = 1_000
const MAX_ATTEMPTS = 5

/**
 * Gives an article a further id, which names its thread from now on. An id with an own thread becomes an alias
 * while it has no comments. Refuses with `article_has_comments` if it has, and with `alias_taken` if it is an
 * alias of another article.
 * @returns whether the alias is new, and the own id of the article
 */
export const createAlias = async (
  context: Context,
  request: AliasRequest,
): Promise<{ isNew: boolean; articleId: string }> => {
  const { site, administrator, alias } = request
  const threadIds: number[] = []
  return withInvalidation(context, { siteId: site.id, threadIds, isHide: true }, () =>
    inTransaction(context.writes, async (tx) => {
      const { thread, row } = await lockBoth(tx, request)
      threadIds.push(thread.id, ...(row ? [row.id] : []))
      const isNew = await addAlias(tx, site.id, { thread, row, alias })
      if (isNew) await audit(tx, 'alias_created', { administrator, site, thread, alias })
      return { isNew, articleId: thread.articleId }
    }),
  )
}

type Both = {
  readonly thread: rows.ArticleThread
  /** Undefined if the alias has no row yet. */
  readonly row: rows.ArticleRow | undefined
}

/** Locks the thread of the article and the row of the alias, which other transactions may change until then. */
const lockBoth = async (tx: Tx, { site, articleId, alias }: AliasRequest): Promise<Both> => {
  const siteId = site.id
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const threadId = await ensureThread(tx, siteId, articleId)
    const before = await rows.findArticleRow(tx, siteId, alias)
    const ids = [...new Set([threadId, before?.id ?? threadId])].toSorted((a, b) => a - b)
    for (const id of ids) await acquireThreadLock(tx, { siteId, threadId: id }, 'exclusive')
    const thread = await rows.findArticleThread(tx, siteId, articleId)
    const row = await rows.findArticleRow(tx, siteId, alias)
    if (thread?.id === threadId && row?.id === before?.id) return { thread, row }
  }
  throw new Refusal('unavailable')
}

/** @returns whether the alias is new. The caller has locked both threads */
const addAlias = async (
  tx: Tx,
  siteId: number,
  { thread, row, alias }: Both & { readonly alias: string },
): Promise<boolean> => {
  const threadId = thread.id
  if (row?.id === threadId)
    throw new Refusal('invalid_request', { '/article_id': 'must be another id' })
  if (row?.aliasOf === threadId) return false
  if (row && row.aliasOf !== null) throw new Refusal('alias_taken')
  if ((await rows.countAliases(tx, { siteId, threadId })) >= MAX_ALIASES)
    throw new Refusal('invalid_request', { '/article_id': `is one of more than ${MAX_ALIASES}` })
  if (!row) {
    if ((await rows.insertAlias(tx, { siteId, threadId, articleId: alias })) === undefined)
      throw new Refusal('unavailable')
    return true
  }
  if (await isMergeRunning(tx, siteId, { from: row.id, to: threadId }))
    throw new Refusal('move_not_allowed', { '/article_id': 'a merge of it is in progress' })
  if (await hasComments(tx, siteId, row.id)) throw new Refusal('article_has_comments')
  await rows.turnIntoAlias(tx, { siteId, threadId, id: row.id })
  return true
}

/** Ends an alias: its id is an article without comments from now on. Refuses with `not_found` if there is none. */
export const deleteAlias = async (context: Context, request: AliasRequest): Promise<void> => {
  const { site, administrator, alias } = request
  const siteId = site.id
  const threadIds: number[] = []
  await withInvalidation(context, { siteId, threadIds, isHide: true }, () =>
    inTransaction(context.writes, async (tx) => {
      const { thread, row } = await lockExisting(tx, request)
      const threadId = thread.id
      threadIds.push(threadId, row.id)
      await rows.deleteAlias(tx, { siteId, threadId, id: row.id })
      await audit(tx, 'alias_deleted', { administrator, site, thread, alias })
    }),
  )
}

const lockExisting = async (tx: Tx, { site, articleId, alias }: AliasRequest) => {
  const siteId = site.id
  const named = await rows.findArticleThread(tx, siteId, articleId)
  if (!named) throw new Refusal('not_found')
  await acquireThreadLock(tx, { siteId, threadId: named.id }, 'exclusive')
  const thread = await rows.findArticleThread(tx, siteId, articleId)
  const row = await rows.findArticleRow(tx, siteId, alias)
  if (thread?.id !== named.id || row?.aliasOf !== named.id) throw new Refusal('not_found')
  return { thread, row }
}

type Audited = Pick<AliasRequest, 'site' | 'administrator' | 'alias'> & Pick<Both, 'thread'>

const audit = async (
  tx: Tx,
  action: AuditAction,
  { site, administrator, thread, alias }: Audited,
): Promise<void> => {
  const named = { article_id: thread.articleId }
  const change = action === 'alias_created' ? { after: named } : { before: named }
  const by = callerIdOf(administrator)
  await insertAuditEntry(tx, { siteId: site.id, action, subject: alias, by, ...change })
}

/** Lists the aliases of an article in the order of their rows. */
export const listAliases = async (
  context: Context,
  {
    site,
    articleId,
    afterId,
    limit,
  }: Pick<AliasRequest, 'site' | 'articleId'> & { afterId: number; limit: number },
): Promise<{ articleId: string; items: rows.ListedAlias[]; nextId: number | null }> => {
  const thread = await runQuery(rows.findArticleThread(context.db, site.id, articleId))
  if (!thread) return { articleId, items: [], nextId: null }
  const at = { siteId: site.id, threadId: thread.id }
  const found = await runQuery(rows.listAliases(context.db, { ...at, afterId, limit }))
  const items = found.slice(0, limit)
  const nextId = found.length > items.length ? items.at(-1)!.id : null
  return { articleId: thread.articleId, items, nextId }
}
