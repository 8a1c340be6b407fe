import type { Job, JobResult } from '../../domain/job.ts'
import { findCommentForWrite } from '../../postgres/comments/comments.ts'
import { redactComments } from '../../postgres/comments/redaction.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import { reportProgress } from '../../postgres/jobs/jobs.ts'
import { findWritings, redactAppeals, redactVotesAndFlags } from '../../postgres/people/erasure.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'

/** The ancestors of each comment change with it, under the exclusive thread lock. */
const BATCH_COMMENTS = 100

type ErasedAuthor = { readonly siteId: number; readonly authorId: number }

/**
 * Redacts the comments, votes, flags and appeals of an erased author, some comments of one thread per
 * transaction. Comments are deleted as by their author: tombstones keep the places that replies need.
 * Running it twice changes nothing more.
 * @param mayContinue is asked before each transaction, with the number of comments in the one before
 * @returns whether all is redacted
 */
export const redactErasedComments = async (
  context: Context,
  author: ErasedAuthor,
  mayContinue: (redacted: number) => Promise<boolean>,
): Promise<boolean> => {
  for (let redacted = 0; ; ) {
    const some = await findWritings(context.db, { ...author, limit: BATCH_COMMENTS })
    if (!some) break
    if (!(await mayContinue(redacted))) return false
    const { siteId } = author
    await withInvalidation(context, { siteId, threadIds: [some.threadId], isHide: true }, () =>
      inTransaction(context.writes, (tx) => redactInThread(tx, { siteId, ...some })),
    )
    redacted = some.ids.length
  }
  await inTransaction(context.writes, async (tx) => {
    await redactVotesAndFlags(tx, author)
    await redactAppeals(tx, author)
  })
  return true
}

const redactInThread = async (
  tx: Tx,
  { siteId, threadId, ids }: { siteId: number; threadId: number; ids: readonly number[] },
): Promise<void> => {
  await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
  for (const id of ids) {
    const comment = await findCommentForWrite(tx, { siteId, threadId, id })
    if (comment && comment.status !== 'deleted')
      await changeStatus(tx, comment, { siteId, to: 'deleted' })
  }
  await redactComments(tx, { siteId, threadId, ids })
}

/** Finishes an erasure that took longer than its request waits, or whose node was killed. */
export const finishErasure = async (
  context: Context,
  job: Job<'erase_author'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  const author = { siteId: job.siteId, authorId: job.payload.authorId }
  const isDone = await redactErasedComments(context, author, async (redacted) => {
    if (signal.aborted) return false
    return redacted === 0 || runQuery(reportProgress(context.writes, job, redacted))
  })
  return isDone ? 'done' : { againInMs: 0 }
}
