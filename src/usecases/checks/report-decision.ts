import type { Job, JobResult } from '../../domain/job.ts'
import type { Context } from '../context.ts'
import { findCommentOfJob, toCheckInput } from './check-comment.ts'

/**
 * Reports a moderator's decision to a check. Nothing is reported if the site has removed the check, the
 * comment's network is past its retention, or its author is erased.
 */
export const reportDecision = async (
  context: Context,
  job: Job<'report_decision'>,
): Promise<JobResult> => {
  const found = await findCommentOfJob(context, job)
  const check = found?.site.checks.find(({ name }) => name === job.payload.check)
  if (!found || !check) return 'done'
  const input = toCheckInput(context.idsOf(found.site.id), found, found.askable)
  if (input.ip !== null) await context.checks.report(check, input, job.payload.isSpam)
  return 'done'
}
