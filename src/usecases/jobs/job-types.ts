import type { Job, JobKind, JobResult } from '../../domain/job.ts'
import { deleteSiteRows } from '../administering/delete-site.ts'
import { runBatch } from '../batches/run-batch.ts'
import { askChecks } from '../checks/ask-checks.ts'
import { reportDecision } from '../checks/report-decision.ts'
import type { Context } from '../context.ts'
import { deleteThreadRows } from '../decisions/delete-thread.ts'
import { runImportJob } from '../importing/run-import-job.ts'
import { finishReassignment } from '../people/reassign-comments.ts'
import { finishErasure } from '../people/redact-erased-comments.ts'
import { refreshAuthor } from '../people/refresh-author.ts'
import { applyRetention } from './apply-retention.ts'
import { bumpClosedThreads } from './bump-closed-threads.ts'

export type JobType<K extends JobKind> = {
  /** How many jobs of the kind one node runs together. */
  readonly atOnce: number
  /** After this many attempts without progress the job is given up. */
  readonly maxAttempts: number
  /** How long a failed job waits: doubled after each attempt, up to `lastRetryMs`. */
  readonly firstRetryMs: number
  readonly lastRetryMs: number
  /** The longest time between two runs, or before the first. */
  readonly longestWaitMs: number
  /** Rejects if the job has to be tried again. Returns early, between two steps, when the signal aborts. */
  readonly run: (context: Context, job: Job<K>, signal: AbortSignal) => Promise<JobResult>
}

const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 600_000
const FIRST_OUTSIDE_RETRY_MS = 60_000
const LAST_OUTSIDE_RETRY_MS = 7_200_000
const DAY_MS = 86_400_000

/** A job that fails for about three hours is given up. */
const ORDINARY = {
  atOnce: 1,
  maxAttempts: 25,
  firstRetryMs: FIRST_RETRY_MS,
  lastRetryMs: LAST_RETRY_MS,
  longestWaitMs: LAST_RETRY_MS,
}
/** A job that must not be lost is tried until it succeeds. */
const ENDLESS = { ...ORDINARY, maxAttempts: Number.POSITIVE_INFINITY }
/** Jobs that wait for a service outside. */
const OUTSIDE = {
  ...ORDINARY,
  atOnce: 20,
  firstRetryMs: FIRST_OUTSIDE_RETRY_MS,
  lastRetryMs: LAST_OUTSIDE_RETRY_MS,
  longestWaitMs: DAY_MS,
}
/** A report is worth little after some hours. */
const MAX_REPORT_ATTEMPTS = 8

const RETENTION_EVERY_MS = 600_000
const CLOSING_EVERY_MS = 10_000

const periodically =
  (act: (context: Context, signal: AbortSignal) => Promise<void>, everyMs: number) =>
  async (context: Context, _job: Job, signal: AbortSignal): Promise<JobResult> => {
    await act(context, signal)
    return { againInMs: signal.aborted ? 0 : everyMs }
  }

export const JOBS: { readonly [K in JobKind]: JobType<K> } = {
  refresh_author: { ...ORDINARY, run: refreshAuthor },
  erase_author: { ...ENDLESS, run: finishErasure },
  reassign_comments: { ...ENDLESS, run: finishReassignment },
  delete_thread: { ...ENDLESS, run: deleteThreadRows },
  delete_site: { ...ENDLESS, run: deleteSiteRows },
  run_batch: { ...ORDINARY, run: runBatch },
  run_import: { ...ORDINARY, run: runImportJob },
  ask_checks: { ...OUTSIDE, run: askChecks },
  report_decision: { ...OUTSIDE, maxAttempts: MAX_REPORT_ATTEMPTS, run: reportDecision },
  apply_retention: { ...ENDLESS, run: periodically(applyRetention, RETENTION_EVERY_MS) },
  bump_closed_threads: { ...ENDLESS, run: periodically(bumpClosedThreads, CLOSING_EVERY_MS) },
}

export const JOB_KINDS = Object.keys(JOBS) as JobKind[]

/** The service has one job of each of these kinds; every run postpones it. */
export const PERIODIC_KINDS = ['apply_retention', 'bump_closed_threads'] as const
