import { ASK_MS, type Job, type JobResult } from '../../domain/job.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Askable } from '../../postgres/screening/checks.ts'
import type { Context } from '../context.ts'
import { checkComment, findCommentOfJob } from './check-comment.ts'

/** A check that has not answered by then has failed. */
const MAX_ATTEMPTS = 3

/**
 * Asks the checks of a comment that have not answered: their node was killed, they asked for time, or they failed and
 * the comment is still held. The transaction that saves their answers postpones or deletes the job itself.
 */
export const askChecks = async (context: Context, job: Job<'ask_checks'>): Promise<JobResult> => {
  const found = await findCommentOfJob(context, job)
  if (!found) return 'done'
  const { site, comment, askable } = found
  if (askable.isWithdrawn) return untilItIsLost(site, askable)
  const isLast = job.attempts > MAX_ATTEMPTS
  const applied = await checkComment(context, { site, comment, isLast })
  // The comment moved, or its text changed, while its checks were asked.
  return applied ? 'done' : { againInMs: ASK_MS }
}

/** The job looks again after a day at most. */
const MAX_WAIT_MS = 86_400_000

/** A withdrawn comment is not asked about. Its job waits as long as its author can restore the comment. */
const untilItIsLost = ({ editWindowSeconds }: Site, { createdAt, readAt }: Askable): JobResult => {
  const againInMs = Date.parse(createdAt) + editWindowSeconds * 1000 - Date.parse(readAt)
  return againInMs < 0 ? 'done' : { againInMs: Math.min(againInMs + ASK_MS, MAX_WAIT_MS) }
}
