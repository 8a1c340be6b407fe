import { type RawBuilder, sql } from 'kysely'
import { type Job, type JobKey, type JobKind, type NewJob, NO_SITE } from '../../domain/job.ts'
import { isAhead } from '../connection/clock.ts'
import type { Db, Tx } from '../connection/db.ts'

/** How long a node can be silent before another node takes its jobs. */
export const LEASE_MS = 8_000

/** Enough to recognise an error. */
const MAX_ERROR_LENGTH = 300

const inMs = (ms: number | RawBuilder<unknown>) =>
  sql`clock_timestamp() + make_interval(secs => ${ms} / 1000.0)`

/**
 * Enqueues jobs with the transaction that makes them necessary. A job that waits already is replaced; a
 * job that runs already runs once more. The rows are inserted in the order of their keys, because two
 * transactions that enqueue the same jobs would otherwise deadlock.
 */
export const enqueueJobs = async (tx: Tx, jobs: readonly NewJob[]): Promise<void> => {
  if (jobs.length === 0) return
  await writeJobsFrom(
    sql`select * from unnest(${jobs.map(({ siteId }) => siteId)}::int[],
      ${jobs.map(({ kind }) => kind)}::text[], ${jobs.map(({ key }) => key)}::text[],
      ${jobs.map(({ payload }) => JSON.stringify(payload))}::jsonb[],
      ${jobs.map(({ dueInMs = 0 }) => dueInMs)}::float8[])`,
  ).execute(tx)
}

export const enqueueJob = (tx: Tx, job: NewJob): Promise<void> => enqueueJobs(tx, [job])

/**
 * Writes the statement that enqueues jobs.
 * @param rows selects site id, kind, key, payload, and how many milliseconds until the job is due
 */
export const writeJobsFrom = (rows: RawBuilder<unknown>): RawBuilder<unknown> => sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    select site_id, kind, key, payload, clock_timestamp(), ${inMs(sql`due_in_ms`)}
    from (${rows}) as j (site_id, kind, key, payload, due_in_ms)
    order by site_id, kind, key
    on conflict (site_id, kind, key) do update set payload = excluded.payload,
      version = jobs.version + 1, enqueued_at = excluded.enqueued_at, due_at = excluded.due_at,
      attempts = 0, done = 0, last_error = null, failed_at = null`

/** Enqueues a periodic job unless there is one. */
export const ensureJob = async (db: Db, kind: JobKind): Promise<void> => {
  await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    values (${NO_SITE}, ${kind}, '', '{}', clock_timestamp(), clock_timestamp())
    on conflict do nothing`.execute(db)
}

/** `clock_timestamp()` may change within a statement, so the index could not find due jobs by it. */
const isReady = sql`j.failed_at is null and j.due_at <= statement_timestamp()
  and (j.leased_until is null
    or not ${isAhead('j.leased_until', sql`make_interval(secs => ${sql.lit(LEASE_MS / 1000)})`, sql`statement_timestamp()`)})`

/** Makes jobs due that wait more than twice as long as jobs of their kind can: a clock that was set back left them. */
export const hastenJobs = async (
  db: Db,
  kinds: readonly { readonly kind: JobKind; readonly longestMs: number }[],
): Promise<void> => {
  await sql`
    update jobs j set due_at = clock_timestamp()
    from unnest(${kinds.map(({ kind }) => kind)}::text[], ${kinds.map(({ longestMs }) => longestMs)}::float8[])
      as k (kind, longest_ms)
    where j.kind = k.kind and j.failed_at is null
      and j.due_at > statement_timestamp() + 2 * make_interval(secs => k.longest_ms / 1000.0)`.execute(
    db,
  )
}

/** The kinds of which a job is due and no node runs it. Reads one job per kind: `exists` would read all. */
export const listDueKinds = async (db: Db, kinds: readonly JobKind[]): Promise<JobKind[]> => {
  const { rows } = await sql<{ kind: JobKind }>`
    select k.kind from unnest(${kinds}::text[]) as k (kind)
    cross join lateral (
      select from jobs j where j.kind = k.kind and ${isReady} order by due_at limit 1
    ) due`.execute(db)
  return rows.map(({ kind }) => kind)
}

/**
 * Takes the jobs of a kind that have been due longest: until their leases expire, no other node takes them.
 * The limit is part of the text, because a plan for any limit would read the whole table.
 */
export const takeJobs = async <K extends JobKind>(
  db: Db,
  { kind, limit }: { kind: K; limit: number },
): Promise<Job<K>[]> => {
  const { rows } = await sql<Job<K>>`
    with due as (
      select site_id, kind, key from jobs j where kind = ${kind} and ${isReady}
      order by due_at limit ${sql.lit(limit)} for update skip locked
    )
    update jobs j set attempts = j.attempts + 1, lease = gen_random_uuid(), leased_until = ${inMs(LEASE_MS)}
    from due left join sites s on s.id = due.site_id
    where j.site_id = due.site_id and j.kind = due.kind and j.key = due.key
    returning j.site_id, j.kind, j.key, j.payload, s.slug, j.version, j.attempts, j.lease`.execute(
    db,
  )
  return rows
}

const isJob = ({ siteId, kind, key }: JobKey) =>
  sql`site_id = ${siteId} and kind = ${kind} and key = ${key}`

const isHeld = (job: Job) => sql`${isJob(job)} and lease = ${job.lease}`

/** Keeps the job of this node for another `LEASE_MS`. @returns whether it is still this node's */
export const extendLease = async (db: Db, job: Job): Promise<boolean> => {
  const { numAffectedRows } = await sql`
    update jobs set leased_until = ${inMs(LEASE_MS)} where ${isHeld(job)}`.execute(db)
  return numAffectedRows === 1n
}

/** Counts what the job has processed, which keeps it for this node. @returns whether it is still this node's */
export const reportProgress = async (db: Db, job: Job, done: number): Promise<boolean> => {
  const { numAffectedRows } = await sql`
    update jobs set done = done + ${done}::int, attempts = 1, leased_until = ${inMs(LEASE_MS)}
    where ${isHeld(job)}`.execute(db)
  return numAffectedRows === 1n
}

/** Ends a job. */
export const completeJob = (db: Db, job: Job): Promise<void> =>
  endRun(db, job, sql`delete from jobs`)

/** Ends a run that succeeded; the job runs again later, on whichever node takes it. */
export const postponeJob = (db: Db, job: Job, byMs: number): Promise<void> =>
  endRun(
    db,
    job,
    sql`update jobs set due_at = ${inMs(byMs)}, ${noLease}, attempts = 0, last_error = null`,
  )

/** Ends a run that failed; the job runs again later. */
export const retryJob = (
  db: Db,
  job: Job,
  { inMs: byMs, error }: { inMs: number; error: string },
): Promise<void> =>
  endRun(
    db,
    job,
    sql`update jobs set due_at = ${inMs(byMs)}, ${noLease}, last_error = ${shorten(error)}`,
  )

/** Ends a run that failed once too often. The job stays, for an operator to see. */
export const giveUpJob = (db: Db, job: Job, error: string): Promise<void> =>
  endRun(
    db,
    job,
    sql`update jobs set failed_at = clock_timestamp(), ${noLease}, last_error = ${shorten(error)}`,
  )

const noLease = sql`lease = null, leased_until = null`
const shorten = (error: string): string => error.slice(0, MAX_ERROR_LENGTH)

/** A job that was enqueued again during its run stays, and is due as its new enqueuer wants. */
const endRun = async (db: Db, job: Job, statement: RawBuilder<unknown>): Promise<void> => {
  const { numAffectedRows } = await sql`
    ${statement} where ${isHeld(job)} and version = ${job.version}`.execute(db)
  if (numAffectedRows === 0n) await sql`update jobs set ${noLease} where ${isHeld(job)}`.execute(db)
}

export const findJob = async <K extends JobKind>(
  db: Db,
  job: JobKey<K>,
): Promise<Pick<Job<K>, 'payload'> | undefined> => {
  const { rows } = await sql<Pick<Job<K>, 'payload'>>`
    select payload from jobs where ${isJob(job)}`.execute(db)
  return rows[0]
}

/** Makes a job due at another time. A node that runs it loses it. */
export const rescheduleJob = async (db: Db, job: JobKey, dueInMs: number): Promise<void> => {
  await sql`
    update jobs set due_at = ${inMs(dueInMs)}, ${noLease} where ${isJob(job)}`.execute(db)
}

/** Removes a job that is no longer necessary, also while a node runs it. */
export const deleteJob = async (db: Db, job: JobKey): Promise<void> => {
  await sql`delete from jobs where ${isJob(job)}`.execute(db)
}

export type JobCount = {
  readonly kind: JobKind
  readonly state: 'waiting' | 'running' | 'failed'
  readonly count: number
  /** How long the job that has been due longest has been due. */
  readonly oldestSeconds: number
}

export const countJobs = async (db: Db): Promise<JobCount[]> => {
  const { rows } = await sql<JobCount>`
    select kind, case when failed_at is not null then 'failed'
        when leased_until > clock_timestamp() then 'running' else 'waiting' end as state,
      count(*) as count,
      coalesce(extract(epoch from clock_timestamp() - min(due_at)), 0)::float8 as oldest_seconds
    from jobs group by 1, 2`.execute(db)
  return rows
}

/** The kinds of which a job was given up. */
export const listFailedKinds = async (db: Db): Promise<JobKind[]> => {
  const { rows } = await sql<{ kind: JobKind }>`
    select distinct kind from jobs where failed_at is not null order by kind`.execute(db)
  return rows.map(({ kind }) => kind)
}

/** Deletes a batch of jobs that were given up 30 days ago. @returns how many */
export const deleteOldFailedJobs = async (tx: Tx, limit: number): Promise<number> => {
  const { numAffectedRows } = await sql`
    delete from jobs where (site_id, kind, key) in (
      select site_id, kind, key from jobs where failed_at < now() - interval '30 days'
      limit ${limit})`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
