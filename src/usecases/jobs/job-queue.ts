import type { JobKind } from '../../domain/job.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { ensureJob, hastenJobs, listDueKinds } from '../../postgres/jobs/jobs.ts'
import type { Context } from '../context.ts'
import { JOB_KINDS, JOBS, PERIODIC_KINDS } from './job-types.ts'
import { createLoop } from './loop.ts'
import { type JobReports, runJobs } from './run-jobs.ts'

export type JobQueue = {
  /** Runs the due jobs of a kind now, without waiting for them. */
  readonly kick: (kind: JobKind) => void
  /** Takes no more jobs, and waits until the running jobs have finished their step. */
  readonly close: () => Promise<void>
}

type Options = JobReports & {
  /** How often this node looks for due jobs, such as those of a killed node. Missing: only when kicked. */
  readonly pollMs?: number
  /** The jobs could not be read. */
  readonly onError: (error: unknown) => void
}

const LONGEST_WAITS = JOB_KINDS.map((kind) => ({ kind, longestMs: JOBS[kind].longestWaitMs }))

/** Runs due jobs on this node. Each kind has a loop of its own: a long batch delays no check. */
export const createJobQueue = (
  context: Context,
  { pollMs, onError, ...reports }: Options,
): JobQueue => {
  const createKindLoop = (kind: JobKind) =>
    createLoop((signal) => runJobs(context, kind, { signal, ...reports }), { onError })
  const loops = new Map(JOB_KINDS.map((kind) => [kind, createKindLoop(kind)]))
  const kick = (kind: JobKind) => loops.get(kind)!.kick()
  const look = async () => {
    await runQuery(hastenJobs(context.writes, LONGEST_WAITS))
    for (const kind of await runQuery(listDueKinds(context.db, JOB_KINDS))) kick(kind)
  }
  const poll = createLoop(look, { ...(pollMs !== undefined && { everyMs: pollMs }), onError })
  if (pollMs !== undefined) poll.kick()
  return {
    kick,
    close: async () => {
      await poll.close()
      await Promise.all([...loops.values()].map((loop) => loop.close()))
    },
  }
}

/** Enqueues the periodic jobs of the service, once per database. */
export const ensurePeriodicJobs = async (context: Context): Promise<void> => {
  for (const kind of PERIODIC_KINDS) await runQuery(ensureJob(context.writes, kind))
}
