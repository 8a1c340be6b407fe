import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { takeReports } from '../../postgres/jobs/check-reports.ts'
import {
  type DueQuestion,
  deleteQuestion,
  findAskable,
  takeQuestions,
} from '../../postgres/jobs/checks.ts'
import { checkComment } from '../checks/check-comment.ts'
import type { Context } from '../context.ts'
import { reportDecision } from './report-decision.ts'

/** All of them are asked at once. */
const BATCH = 20
/** Who has not answered by then has failed. */
const MAX_ATTEMPTS = 3
/** So long the node that has taken one has it for itself. */
const TAKEN_MS = 60_000
/** Before a report is tried again; twice as long each time. */
const REPORT_AGAIN_MS = 60_000

/**
 * Looks after what was asked of checks and has no answer, because its node has ended or the check has
 * asked for time, and reports what moderators have decided. Of several nodes exactly one has each. One
 * that fails does not keep the others waiting; the first failure is thrown at the end.
 */
export const runChecks = async (context: Context, signal: AbortSignal): Promise<void> => {
  const failures: unknown[] = []
  const each = async <T>(take: () => Promise<T[]>, act: (one: T) => Promise<unknown>) => {
    for (let taken = BATCH; taken >= BATCH && !signal.aborted; ) {
      const some = await take()
      taken = some.length
      const ends = await Promise.allSettled(some.map(act))
      for (const end of ends) if (end.status === 'rejected') failures.push(end.reason)
    }
  }
  const questions = { limit: BATCH, putOffMs: TAKEN_MS }
  await each(
    () => inTransaction(context.writes, (tx) => takeQuestions(tx, questions)),
    (question) => askAgain(context, question),
  )
  const reports = { limit: BATCH, putOffMs: REPORT_AGAIN_MS }
  await each(
    () => inTransaction(context.writes, (tx) => takeReports(tx, reports)),
    (report) => reportDecision(context, report),
  )
  if (failures.length > 0) throw failures[0]
}

const askAgain = async (context: Context, question: DueQuestion): Promise<void> => {
  const { siteId, threadId, id, slug, attempts } = question
  const site = await context.sites.find(slug)
  const askable = await runQuery(findAskable(context.db, { siteId, threadId, id }))
  const isOpen = Object.values(askable?.checks ?? {}).some(({ state }) => state === 'asked')
  if (!site || !isOpen) {
    await deleteQuestion(context.writes, { siteId, threadId, id })
    return
  }
  const isLast = attempts > MAX_ATTEMPTS
  await checkComment(context, { site, comment: { threadId, id }, isLast })
}
