import { type Kysely, sql } from 'kysely'
import type { JobKind } from '../src/domain/job.ts'
import type { Tables } from '../src/postgres/connection/tables.ts'
import type { Context } from '../src/usecases/context.ts'
import { type JobFailure, runJobs as runJobsOfKind } from '../src/usecases/jobs/run-jobs.ts'

const NEVER = new AbortController().signal

/** Runs the due jobs of one kind. @returns their failures */
export const runJobs = async (
  context: Context,
  kind: JobKind,
  signal: AbortSignal,
): Promise<JobFailure[]> => {
  const failures: JobFailure[] = []
  await runJobsOfKind(context, kind, { signal, onFailure: (failure) => failures.push(failure) })
  return failures
}

/** Runs the due jobs of these kinds. @throws the error of the first job that is to be tried again */
export const runDue = async (context: Context, ...kinds: JobKind[]): Promise<void> => {
  const failures = []
  for (const kind of kinds) failures.push(...(await runJobs(context, kind, NEVER)))
  const failed = failures.find(({ retryInMs }) => retryInMs !== undefined)
  if (failed) throw failed.error
}

/** Makes all jobs due, those that a node has taken too. */
export const makeDue = async ({ db }: { db: Kysely<Tables> }): Promise<void> => {
  await sql`update jobs set due_at = now(), lease = null, leased_until = null`.execute(db)
}

export const countWaiting = async (
  { db }: { db: Kysely<Tables> },
  kind: JobKind,
): Promise<number> => {
  const { rows } = await sql<{ n: number }>`
    select count(*) as n from jobs where kind = ${kind} and failed_at is null`.execute(db)
  return rows[0]!.n
}
