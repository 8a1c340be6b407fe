import { largestBranch } from '../../domain/comment/branch.ts'
import type { Reason } from '../../domain/comment/status.ts'
import { batchJob } from '../../domain/job.ts'
import { differenceOf } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listPlaced, type Placed } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { type Batch, insertBatch, isMergeRunning } from '../../postgres/jobs/batches.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import { type Decision, insertDecision } from '../../postgres/moderation/decisions.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  closeThread,
  ensureThread,
  findThreadForWrite,
  findThreadId,
  findThreadSettings,
  hasComments,
  inheritSettings,
  lockThreadRows,
} from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import type { Decided } from '../decisions/decision-request.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { mergeBranches, type StoredMerge } from './merge-steps.ts'
import { acquireThreadLocks, assertMayPublish, MAX_MOVED } from './move-branch.ts'

/** A merge of this many comments takes two to four minutes. */
const MAX_MERGED = 200_000
/** A branch moves as a whole. Moving this many comments takes five to ten seconds, and writes that wait longer than 2.4 s fail. */
const MAX_BRANCH = 20_000

export type MergeRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly articleId: string
  /** The article whose thread receives the comments. */
  readonly into: string
  readonly reason: Reason | null
  readonly note: string | null
  /** Whether readers may see comments of a thread that is hidden. */
  readonly publish: boolean
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** The decision on a merge that is done, or the batch that does it. */
export type Merged = Decided | { readonly batch: Batch }

/**
 * Moves all comments of a thread into another article's thread, and closes the source. A target without
 * comments also takes the settings of the source, so that a merge renames an article. The request decides
 * all of this; of more than 5,000 comments a batch moves branch by branch, oldest first, so that readers
 * find every comment in one of the two threads at any time.
 */
export const mergeThreads = async <Answer>(
  context: Context,
  request: MergeRequest,
  present: (merged: Merged) => Answer,
): Promise<Answer> => {
  const { site, articleId, into, idempotencyKey } = request
  if (into === articleId) throw sameArticle()
  const [from, known] = await Promise.all(
    [articleId, into].map((article) => runQuery(findThreadId(context.db, site.id, article))),
  )
  const threadIds = [from, known].filter((id) => id !== undefined)
  const answer = await withInvalidation(context, { siteId: site.id, threadIds, isHide: true }, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      if (from === undefined) throw new Refusal('not_found')
      const to = await ensureThread(tx, site.id, into)
      if (to !== known) threadIds.push(to)
      return present(await mergeInto(tx, toOrder(request), { from, to }))
    }),
  )
  context.kick('run_batch')
  return answer
}

const sameArticle = () => new Refusal('invalid_request', { '/into': 'must be another article' })

/** A merge without its threads. */
export type MergeOrder = Pick<MergeRequest, 'reason' | 'note' | 'publish'> & {
  readonly siteId: number
  readonly by: string
}

const toOrder = ({ site, moderator, reason, note, publish }: MergeRequest): MergeOrder => ({
  siteId: site.id,
  by: callerIdOf(moderator),
  reason,
  note,
  publish,
})

/** The articles' own ids: the request can name them by aliases. */
const ownIdsOf = async (tx: Tx, siteId: number, { from, to }: Threads) => {
  const source = await findThreadForWrite(tx, siteId, from)
  const target = await findThreadForWrite(tx, siteId, to)
  return { articleId: source!.articleId, into: target!.articleId }
}

type Threads = { readonly from: number; readonly to: number }

/** Merges a thread into another under the exclusive locks of both, or starts the batch that does. */
export const mergeInto = async (tx: Tx, order: MergeOrder, threads: Threads): Promise<Merged> => {
  const { siteId } = order
  await acquireThreadLocks(tx, siteId, [threads.from, threads.to])
  if (threads.from === threads.to) throw sameArticle()
  const named = { ...order, ...(await ownIdsOf(tx, siteId, threads)) }
  if (await isMergeRunning(tx, siteId, threads))
    throw new Refusal('move_not_allowed', { '/into': 'a merge of these threads is in progress' })
  const at = { siteId, threadId: threads.from }
  const movers = await listPlaced(tx, at, { fromId: 0, limit: MAX_MERGED + 1 })
  if (movers.length > MAX_MOVED) return startBatch(tx, named, { ...threads, movers })
  const decision = await decideMerge(tx, named, { ...threads, movers })
  const version = await mergeBranches(tx, { siteId, ...threads, movers, merge: decision })
  return { decision, version }
}

type NamedOrder = MergeOrder & Pick<MergeRequest, 'articleId' | 'into'>

const startBatch = async (tx: Tx, order: NamedOrder, merging: Merging): Promise<Merged> => {
  const { from, to, movers } = merging
  if (movers.length > MAX_MERGED || largestBranch(movers) > MAX_BRANCH)
    throw new Refusal('move_not_allowed')
  const lastRoot = movers.findLast(({ parentId }) => parentId === 0)!
  const merge: StoredMerge = { from, to, upToId: lastRoot.id, publish: order.publish }
  const batch = await insertBatch(tx, {
    siteId: order.siteId,
    kind: 'merge',
    request: { merge },
    by: order.by,
    total: movers.length,
  })
  await decideMerge(tx, order, merging, batch.id)
  await enqueueJob(tx, batchJob(batch))
  return { batch }
}

type Merging = Threads & { readonly movers: readonly Placed[] }

/** Gives the target its settings, closes the source and records both, before any comment moves. */
const decideMerge = async (
  tx: Tx,
  { siteId, by, articleId, into, reason, note, publish }: NamedOrder,
  { from, to, movers }: Merging,
  batchId: number | null = null,
): Promise<Decision> => {
  await lockThreadRows(tx, siteId, [from, to])
  const { state } = await findThreadSettings(tx, siteId, from)
  const before = await findThreadSettings(tx, siteId, to)
  const isRename = !(await hasComments(tx, siteId, to))
  await inheritSettings(tx, siteId, { from, to, isRename })
  const after = await findThreadSettings(tx, siteId, to)
  const hasVisible = movers.some(({ isVisible }) => isVisible)
  assertMayPublish(hasVisible, { from: state, to: after.state, publish })
  await closeThread(tx, siteId, from)
  const { state: emptied } = await findThreadSettings(tx, siteId, from)
  const changes = differenceOf(before, after)
  return insertDecision(tx, {
    siteId,
    by,
    reason,
    note,
    batchId,
    action: 'move',
    subject: articleId,
    before: { article_id: articleId, state, into: changes.before },
    after: { article_id: into, state: emptied, into: changes.after },
  })
}
