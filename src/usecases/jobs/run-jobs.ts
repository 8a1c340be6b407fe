import type { Job, JobKind, JobResult } from '../../domain/job.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  completeJob,
  extendLease,
  giveUpJob,
  postponeJob,
  retryJob,
  takeJobs,
} from '../../postgres/jobs/jobs.ts'
import type { Context } from '../context.ts'
import { JOBS, type JobType } from './job-types.ts'

/** A node that runs a job says so this often; two lost statements in a row do not lose the job. */
const EXTEND_LEASE_MS = 2_000

/** How a run of a job ended: `again` runs later because it has more to do, `failed` after an error. */
export type JobOutcome = 'done' | 'again' | 'failed' | 'given_up'

export type JobReports = {
  readonly onFailure: (failure: JobFailure) => void
  readonly onOutcome?: ((kind: JobKind, outcome: JobOutcome) => void) | undefined
}

export type JobFailure = {
  readonly job: Job
  readonly error: unknown
  /** Undefined: the job was given up. */
  readonly retryInMs: number | undefined
}

/** Runs the jobs of a kind until none is due. A job that fails is reported and does not stop the others. */
export const runJobs = async <K extends JobKind>(
  context: Context,
  kind: K,
  { signal, onFailure, onOutcome }: JobReports & { signal: AbortSignal },
): Promise<void> => {
  const type = JOBS[kind]
  while (!signal.aborted) {
    const jobs = await runQuery(takeJobs(context.writes, { kind, limit: type.atOnce }))
    if (jobs.length === 0) break
    const run = async (job: Job<K>): Promise<void> => {
      const end = await runJob(context, { job, type, signal })
      onOutcome?.(kind, typeof end === 'string' ? end : outcomeOf(end))
      if (typeof end !== 'string') onFailure(end)
    }
    await Promise.all(jobs.map(run))
  }
}

type Run<K extends JobKind> = {
  readonly job: Job<K>
  readonly type: JobType<K>
  readonly signal: AbortSignal
}

const runJob = async <K extends JobKind>(
  context: Context,
  { job, type, signal }: Run<K>,
): Promise<JobFailure | 'done' | 'again'> => {
  const extend = () => void extendLease(context.writes, job).catch(() => {})
  const timer = setInterval(extend, EXTEND_LEASE_MS)
  try {
    if (job.attempts > type.maxAttempts) throw new Error('the nodes that ran the job have ended')
    const result = await type.run(context, job, signal)
    await endRun(context, job, result)
    return result === 'done' ? 'done' : 'again'
  } catch (error) {
    return await failRun(context, job, { type, error })
  } finally {
    clearInterval(timer)
  }
}

const outcomeOf = ({ retryInMs }: JobFailure): JobOutcome =>
  retryInMs === undefined ? 'given_up' : 'failed'

const endRun = (context: Context, job: Job, result: JobResult): Promise<void> =>
  runQuery(
    result === 'done'
      ? completeJob(context.writes, job)
      : postponeJob(context.writes, job, result.againInMs),
  )

/** A run whose failure cannot be stored is repeated once its lease expires. */
const failRun = async <K extends JobKind>(
  context: Context,
  job: Job<K>,
  { type, error }: { type: JobType<K>; error: unknown },
): Promise<JobFailure> => {
  const { attempts } = job
  const retryInMs =
    attempts >= type.maxAttempts
      ? undefined
      : Math.min(type.firstRetryMs * 2 ** (attempts - 1), type.lastRetryMs)
  const message = error instanceof Error ? error.message : String(error)
  const store =
    retryInMs === undefined
      ? giveUpJob(context.writes, job, message)
      : retryJob(context.writes, job, { inMs: retryInMs, error: message })
  await store.catch(() => {})
  return { job, error, retryInMs }
}
