import { type Remap, remappedId } from '../../domain/comment/article-address.ts'
import type { Outcome } from '../../domain/moderation/decision.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import {
  advanceBatch,
  type Batch,
  endBatch,
  findBatch,
  isMergeRunning,
  lockBatchRow,
} from '../../postgres/jobs/batches.ts'
import {
  type ArticleThread,
  findArticleThread,
  insertAlias,
  turnIntoAlias,
} from '../../postgres/threads/aliases.ts'
import { exchangeIds, listOwnIds } from '../../postgres/threads/remaps.ts'
import { hasComments, inheritSettings } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { mergeInto } from './merge-threads.ts'

/** The data that the batch of a remap stores. */
export type StoredRemap = Remap & {
  /** Threads after this one are new, and keep their ids. */
  readonly upToId: number
}

/** Threads that one step reads. Each thread that gets another id has a transaction of its own. */
const THREADS_OF_STEP = 500

/** Gives the next threads of a site their new article ids. */
export const remapStep = async (
  context: Context,
  batch: Batch,
): Promise<number | undefined | 'later'> => {
  const { siteId, afterId } = batch
  const remap = (batch.request as { remap: StoredRemap }).remap
  const part = { afterId, upToId: remap.upToId, limit: THREADS_OF_STEP }
  const threads = await runQuery(listOwnIds(context.db, siteId, part))
  if (threads.length === 0) {
    await inTransaction(context.writes, (tx) => endBatch(tx, batch))
    return undefined
  }
  let skipped = 0
  for (const thread of threads) {
    const to = remappedId(remap, thread.articleId)
    if (to === thread.articleId) skipped += 1
    else {
      const result = await remapThread(context, batch, { thread, to, skipped })
      if (result === 'later') return 'later'
      skipped = 0
    }
  }
  const last = { thread: threads.at(-1)!, skipped }
  if (skipped > 0) await inTransaction(context.writes, (tx) => advance(tx, batch, last, skip))
  return threads.length
}

const skip = async (): Promise<null> => null

type Place = {
  readonly thread: ArticleThread
  /** How many threads before this one keep their ids. */
  readonly skipped: number
}

/** @returns `later` if a merge of the thread has to end first */
const remapThread = async (
  context: Context,
  batch: Batch,
  { to, ...place }: Place & { readonly to: string },
): Promise<'done' | 'later'> => {
  const threadIds = [place.thread.id]
  const giveTo = (tx: Tx) => giveId(tx, batch, { thread: place.thread, to, threadIds })
  const changes = { siteId: batch.siteId, threadIds, isHide: true }
  try {
    return await withInvalidation(context, changes, () =>
      inTransaction(context.writes, (tx) => advance(tx, batch, place, giveTo)),
    )
  } catch (error) {
    const code = error instanceof Refusal ? error.code : undefined
    if (code !== 'not_found' && code !== 'move_not_allowed') throw error
    return inTransaction(context.writes, (tx) => advance(tx, batch, place, async () => code))
  }
}

/**
 * Counts a thread in the transaction of its effect. Two nodes can run the same step: the second finds that the
 * batch has advanced.
 */
const advance = async (
  tx: Tx,
  batch: Batch,
  { thread, skipped }: Place,
  act: (tx: Tx) => Promise<Outcome | 'later' | null>,
): Promise<'done' | 'later'> => {
  await lockBatchRow(tx, batch)
  const now = await findBatch(tx, batch)
  if (!now || now.endedAt !== null || now.afterId >= thread.id) return 'done'
  const outcome = await act(tx)
  if (outcome === 'later') return 'later'
  const outcomes: Partial<Record<Outcome, number>> = { unchanged: skipped }
  if (outcome !== null) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  await advanceBatch(tx, now, { outcomes, afterId: thread.id })
  return 'done'
}

type Renaming = {
  readonly thread: ArticleThread
  readonly to: string
  /** Gets the threads in which readers see a difference. */
  readonly threadIds: number[]
}

/** Gives a thread another id, or to the thread that has the id its comments. Its former id becomes an alias. */
const giveId = async (
  tx: Tx,
  batch: Batch,
  { thread, to, threadIds }: Renaming,
): Promise<Outcome | 'later'> => {
  const { siteId } = batch
  const { id, articleId } = thread
  const before = await findArticleThread(tx, siteId, to)
  if (before) threadIds.push(before.id)
  for (const threadId of [...new Set(threadIds)].toSorted((a, b) => a - b))
    await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  const now = await findArticleThread(tx, siteId, articleId)
  if (now?.id !== id || now.articleId !== articleId) return 'unchanged'
  const there = await findArticleThread(tx, siteId, to)
  if (there?.id !== before?.id) return 'later'
  const name = { siteId, threadId: id, articleId: to, former: articleId }
  if (there && there.id !== id) return joinThreads(tx, batch, { ...name, there })
  if (!there && (await insertAlias(tx, name)) === undefined) return 'later'
  await exchangeIds(tx, name)
  return 'changed'
}

type NewName = { siteId: number; threadId: number; articleId: string; former: string }

/** Makes one thread of two, under the locks of both. The thread that has comments keeps them. */
const joinThreads = async (
  tx: Tx,
  { by }: Batch,
  { there, ...name }: NewName & { readonly there: ArticleThread },
): Promise<Outcome | 'later'> => {
  const { siteId, threadId } = name
  const threads = { from: threadId, to: there.id }
  if (await isMergeRunning(tx, siteId, threads)) return 'later'
  if (await hasComments(tx, siteId, threadId)) {
    if (there.articleId === name.articleId && !(await hasComments(tx, siteId, there.id))) {
      await inheritSettings(tx, siteId, { from: there.id, to: threadId, isRename: true })
      await turnIntoAlias(tx, { siteId, threadId, id: there.id })
      await exchangeIds(tx, name)
      return 'changed'
    }
    const order = { siteId, by, reason: null, note: null, publish: false }
    if ('batch' in (await mergeInto(tx, order, threads))) return 'later'
  }
  await turnIntoAlias(tx, { siteId, threadId: there.id, id: threadId })
  return 'changed'
}
