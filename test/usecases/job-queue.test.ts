import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { authorJob, type Job } from '../../src/domain/job.ts'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import {
  completeJob,
  countJobs,
  enqueueJob,
  enqueueJobs,
  reportProgress,
  retryJob,
  takeJobs,
} from '../../src/postgres/jobs/jobs.ts'
import { ensurePeriodicJobs } from '../../src/usecases/jobs/job-queue.ts'
import { type JobFailure, runJobs as runJobsOfKind } from '../../src/usecases/jobs/run-jobs.ts'
import { makeDue, runJobs } from '../jobs.ts'
import { createDatabase } from '../servers.ts'
import { openService } from '../service.ts'

const NEVER = new AbortController().signal
const KIND = 'refresh_author'

const jobOf = (authorId: number) => authorJob(KIND, { siteId: 1, authorId })

const openDb = async (t: { teardown: (close: () => Promise<void>) => void }) => {
  const { url } = await createDatabase(t)
  const { db, close } = createDb({ url, max: 8, onError: () => {} })
  t.teardown(close)
  return { db, url }
}

const enqueue = (db: Db, ...authorIds: number[]) =>
  db.transaction().execute((tx) => enqueueJobs(tx, authorIds.map(jobOf)))

const take = (db: Db, limit = 1): Promise<Job<typeof KIND>[]> => takeJobs(db, { kind: KIND, limit })

const expireLeases = (db: Db) => sql`update jobs set leased_until = now()`.execute(db)

const listKeys = async (db: Db): Promise<string[]> =>
  (await db.selectFrom('jobs').select('key').orderBy('key').execute()).map(({ key }) => key)

t.test('a job is stored with its transaction, or not at all', async (t) => {
  const { db } = await openDb(t)
  const failing = db.transaction().execute(async (tx) => {
    await enqueueJob(tx, jobOf(1))
    throw new Error('rolled back')
  })
  await t.rejects(failing, /rolled back/)
  t.same(await listKeys(db), [])
  await enqueue(db, 1, 2)
  await enqueue(db, 2, 3)
  t.same(await listKeys(db), ['1', '2', '3'], 'an equal job is the same job')
})

t.test('many nodes take each job once', async (t) => {
  const { db } = await openDb(t)
  await enqueue(db, ...Array.from({ length: 60 }, (_, n) => n + 1))
  const taken = await Promise.all(Array.from({ length: 12 }, () => take(db, 7)))
  const keys = taken.flat().map(({ key }) => key)
  t.equal(keys.length, 60)
  t.equal(new Set(keys).size, 60)
})

t.test('a silent node loses its job, and cannot end the run of the next node', async (t) => {
  const { db } = await openDb(t)
  await enqueue(db, 1)
  const [silent] = await take(db)
  t.same(await take(db), [], 'the lease keeps other nodes away')
  await expireLeases(db)
  const [next] = await take(db)
  t.equal(next!.attempts, 2)
  t.equal(await reportProgress(db, silent!, 5), false)
  await completeJob(db, silent!)
  await retryJob(db, silent!, { inMs: 0, error: 'late' })
  t.same(await listKeys(db), ['1'])
  t.equal(await reportProgress(db, next!, 5), true)
  await completeJob(db, next!)
  t.same(await listKeys(db), [])
})

t.test('progress is counted, and starts the attempts anew', async (t) => {
  const { db } = await openDb(t)
  await enqueue(db, 1)
  await take(db)
  await expireLeases(db)
  const [job] = await take(db)
  await reportProgress(db, job!, 40)
  await reportProgress(db, job!, 2)
  const { done, attempts } = await db.selectFrom('jobs').selectAll().executeTakeFirstOrThrow()
  t.same([done, attempts], [42, 1])
})

/** Events of two jobs. `end` and `fail` end the run that began longest ago. */
const event = fc.oneof(
  fc.record({ type: fc.constant('enqueue' as const), author: fc.nat({ max: 1 }) }),
  fc.record({ type: fc.constantFrom('take', 'end', 'fail', 'expire') }),
)

const EVENTS = { minLength: 10, maxLength: 40, size: 'max' } as const

t.test(
  'property: each enqueued job has a run that began later and ended, one at a time',
  async (t) => {
    const { db } = await openDb(t)
    const property = fc.asyncProperty(fc.array(event, EVENTS), async (events) => {
      await sql`truncate jobs`.execute(db)
      const enqueuedAt = new Map<string, number>()
      const endedRuns = new Map<string, number>()
      const held = new Set<string>()
      let runs: { job: Job<typeof KIND>; at: number }[] = []
      const takeOne = async (at: number) => {
        for (const job of await take(db)) {
          if (held.has(job.key)) throw new Error(`two nodes have job ${job.key}`)
          held.add(job.key)
          runs.push({ job, at })
        }
      }
      const end = async (how: 'end' | 'fail') => {
        const run = runs.shift()
        if (!run) return
        const { job, at } = run
        const isHeld = await reportProgress(db, job, 1)
        if (how === 'fail') await retryJob(db, job, { inMs: 0, error: 'fails' })
        else await completeJob(db, job)
        if (!isHeld) return
        held.delete(job.key)
        if (how === 'end') endedRuns.set(job.key, at)
      }
      for (const [at, { type, ...more }] of events.entries()) {
        if (type === 'enqueue' && 'author' in more) {
          enqueuedAt.set(String(more.author), at)
          await enqueue(db, more.author)
        } else if (type === 'take') await takeOne(at)
        else if (type === 'expire') {
          await expireLeases(db)
          held.clear()
        } else await end(type as 'end' | 'fail')
      }
      await expireLeases(db)
      held.clear()
      runs = []
      for (let at = events.length; (await listKeys(db)).length > 0; at++) {
        if (at > events.length + 20) throw new Error('the jobs do not end')
        await takeOne(at)
        await end('end')
      }
      for (const [key, at] of enqueuedAt)
        if (!(endedRuns.get(key)! > at)) throw new Error(`job ${key} was lost`)
    })
    await t.resolves(fc.assert(property, { numRuns: 40 }))
  },
)

t.test(
  'a job that fails is repeated, twice as late each time, and given up in the end',
  async (t) => {
    const service = await openService(t)
    const broken = { ...jobOf(1), payload: { authorId: 'no number' as unknown as number } }
    await service.db.transaction().execute((tx) => enqueueJob(tx, broken))
    const failures: JobFailure[] = []
    for (let n = 0; n < 25; n++) {
      failures.push(...(await runJobs(service, KIND, NEVER)))
      t.same(await runJobs(service, KIND, NEVER), [], 'the job is not due yet')
      await makeDue(service)
    }
    const pauses = failures.map(({ retryInMs }) => retryInMs)
    t.same(pauses.slice(0, 4), [1_000, 2_000, 4_000, 8_000])
    t.same(pauses.slice(-3), [600_000, 600_000, undefined])
    t.same(await runJobs(service, KIND, NEVER), [])
    const row = await service.db.selectFrom('jobs').selectAll().executeTakeFirstOrThrow()
    t.ok(row.failedAt)
    t.ok(row.lastError)
    t.match(await countJobs(service.db), [{ kind: KIND, state: 'failed', count: 1 }])
    await service.db.transaction().execute((tx) => enqueueJob(tx, jobOf(1)))
    t.same(await runJobs(service, KIND, NEVER), [], 'a job that is enqueued again is tried again')
    t.same(await listKeys(service.db), [])
  },
)

t.test('a failed job is reported before the next job of its kind runs', async (t) => {
  const service = await openService(t)
  const broken = { ...jobOf(1), payload: { authorId: 'no number' as unknown as number } }
  await service.db.transaction().execute((tx) => enqueueJob(tx, broken))
  await enqueue(service.db, 2)
  const failedKeys: string[] = []
  const stop = new AbortController()
  const onFailure = ({ job }: JobFailure) => {
    failedKeys.push(job.key)
    stop.abort()
  }
  await runJobsOfKind(service, KIND, { signal: stop.signal, onFailure })
  t.same(failedKeys, ['1'])
  t.same(await listKeys(service.db), ['1', '2'])
})

t.test('each run of a job reports its outcome', async (t) => {
  const service = await openService(t)
  const broken = { ...jobOf(1), payload: { authorId: 'no number' as unknown as number } }
  await service.db.transaction().execute((tx) => enqueueJob(tx, broken))
  await enqueue(service.db, 2)
  const outcomes: string[] = []
  const run = () =>
    runJobsOfKind(service, KIND, {
      signal: NEVER,
      onFailure: () => {},
      onOutcome: (kind, outcome) => outcomes.push(`${kind} ${outcome}`),
    })
  await run()
  t.same(outcomes.splice(0).sort(), [`${KIND} done`, `${KIND} failed`])
  await sql`update jobs set attempts = 24, due_at = now()`.execute(service.db)
  await run()
  t.same(outcomes, [`${KIND} given_up`])
})

t.test('a periodic job waits for its next round, however often it has run', async (t) => {
  const service = await openService(t)
  await ensurePeriodicJobs(service)
  for (let n = 0; n < 3; n++) {
    t.same(await runJobs(service, 'bump_closed_threads', NEVER), [])
    await ensurePeriodicJobs(service)
    const { rows } = await sql`
      select attempts, due_at > now() as is_later from jobs
      where kind = 'bump_closed_threads'`.execute(service.db)
    t.same(rows, [{ attempts: 0, isLater: true }])
    await makeDue(service)
  }
})
