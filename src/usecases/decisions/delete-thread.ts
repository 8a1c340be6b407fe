import { type Job, type JobResult, threadDeletionJob } from '../../domain/job.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import { enqueueJob, reportProgress } from '../../postgres/jobs/jobs.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { findArticleThread } from '../../postgres/threads/aliases.ts'
import {
  countThread,
  deleteThreadRow,
  isAnyThreadDeleted,
  markThreadDeleted,
  THREAD_DELETION_STEPS,
  type ThreadCounts,
} from '../../postgres/threads/deletion.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'

type DeletionRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly articleId: string
  readonly isDryRun: boolean
  /** The number of comments that the administrator saw. */
  readonly expectedCount: number | undefined
}

/**
 * Deletes the thread of an article for good, or counts what that would delete. The first transaction
 * hides the thread and frees the article for another one; a job then deletes the rows. The moderation
 * log keeps the decisions. Refuses with `decision_conflict` if the number of comments is not as expected.
 */
export const deleteThread = async (
  context: Context,
  request: DeletionRequest,
): Promise<ThreadCounts> => {
  const { site, articleId, isDryRun, expectedCount } = request
  const thread = await runQuery(findArticleThread(context.db, site.id, articleId))
  if (!thread) throw new Refusal('not_found')
  const threadId = thread.id
  const at = { siteId: site.id, threadId }
  if (isDryRun) return runQuery(countThread(context.db, at))
  if (expectedCount === undefined)
    throw new Refusal('invalid_request', { '/expected_count': 'is required without dry_run' })
  const changes = { siteId: site.id, threadIds: [threadId], isHide: true }
  const counts = await withInvalidation(context, changes, () =>
    inTransaction(context.writes, async (tx) => {
      await acquireThreadLock(tx, at, 'exclusive')
      if (await isAnyThreadDeleted(tx, site.id, [threadId])) throw new Refusal('not_found')
      const found = await countThread(tx, at)
      if (found.comments !== expectedCount) throw new Refusal('decision_conflict')
      await markThreadDeleted(tx, at)
      await insertDecision(tx, {
        siteId: site.id,
        action: 'thread',
        threadId,
        subject: thread.articleId,
        by: callerIdOf(request.administrator),
        before: found,
        after: { state: 'deleted' },
      })
      await enqueueJob(tx, threadDeletionJob(at))
      return found
    }),
  )
  context.kick('delete_thread')
  return counts
}

const BATCH_ROWS = 500

/** Deletes the rows of a deleted thread. A run that was interrupted begins again with what is left. */
export const deleteThreadRows = async (
  context: Context,
  job: Job<'delete_thread'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  const at = { siteId: job.siteId, threadId: job.payload.threadId }
  for (const step of THREAD_DELETION_STEPS)
    for (let deleted = BATCH_ROWS; deleted === BATCH_ROWS; ) {
      if (signal.aborted) return { againInMs: 0 }
      deleted = await inTransaction(context.writes, (tx) => step(tx, { ...at, limit: BATCH_ROWS }))
      if (!(await runQuery(reportProgress(context.writes, job, deleted)))) return 'done'
    }
  await inTransaction(context.writes, async (tx) => {
    await acquireThreadLock(tx, at, 'exclusive')
    await deleteThreadRow(tx, at)
  })
  return 'done'
}
