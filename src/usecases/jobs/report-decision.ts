import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { deleteReport, type Report } from '../../postgres/jobs/check-reports.ts'
import { findAskable } from '../../postgres/jobs/checks.ts'
import { toCheckInput } from '../checks/check-comment.ts'
import type { Context } from '../context.ts'

/** After this nobody is told any more. */
const MAX_ATTEMPTS = 8

/**
 * Tells a check what a moderator has decided. What it needs to know may be gone by now: the comment's
 * network is forgotten, or its author is erased, or the site asks it no more. Rejects when it is to be
 * tried again.
 */
export const reportDecision = async (context: Context, report: Report): Promise<void> => {
  const { siteId, threadId, id, slug, checkName, isSpam, attempts } = report
  const site = await context.sites.find(slug)
  const check = site?.checks.find(({ name }) => name === checkName)
  const askable = await runQuery(findAskable(context.db, { siteId, threadId, id }))
  const end = () => inTransaction(context.writes, (tx) => deleteReport(tx, report))
  if (!site || !check || !askable) return end()
  const question = toCheckInput({ site, comment: { threadId, id } }, askable)
  if (question.ip === null) return end()
  try {
    await context.checks.report(check, question, isSpam)
  } catch (error) {
    if (attempts < MAX_ATTEMPTS) throw error
    context.warn({ site: slug, check: checkName }, `${checkName}: a decision could not be reported`)
  }
  await end()
}
