import { sql } from 'kysely'
import t from 'tap'
import { listDueKinds, takeJobs } from '../../src/postgres/jobs/jobs.ts'
import { runBatch } from '../../src/usecases/batches/run-batch.ts'
import { JOB_KINDS } from '../../src/usecases/jobs/job-types.ts'
import { openService } from '../service.ts'

/** A newer version can write kinds of rows that this one does not know, while both run. */

t.test('logs show records of an unknown kind, without the number of a row', async (t) => {
  const service = await openService(t)
  await service.post('a', 'one')
  for (const statement of [
    "alter type decision_action add value if not exists 'of_the_future'",
    "alter type audit_action add value if not exists 'of_the_future'",
    "alter type decision_reason add value if not exists 'of_the_future'",
    "alter type batch_kind add value if not exists 'of_the_future'",
  ])
    await sql.raw(statement).execute(service.db)
  await sql`
    insert into decisions (site_id, action, subject, reason, decided_by, decided_at)
    values (1, 'of_the_future', 'a77', 'of_the_future', 'of_the_future', now())`.execute(service.db)
  await sql`
    insert into audit (site_id, action, subject, done_by, done_at)
    values (1, 'of_the_future', 'a77', 'of_the_future', now())`.execute(service.db)
  await sql`
    insert into batches (site_id, kind, request, asked_by, asked_at, total)
    values (1, 'of_the_future', '{}', 'operator', now(), 0)`.execute(service.db)
  const token = service.adminKey
  const decisions = await service.get('/moderation/decisions', { token })
  const record = { action: 'of_the_future', subject: 'unknown', by: 'of_the_future' }
  t.match(decisions, { status: 200, body: { items: [{ ...record, reason: 'of_the_future' }] } })
  t.match(await service.get('/audit', { token }), { status: 200, body: { items: [record] } })
  const batches = await service.get('/moderation/batches', { token })
  t.match(batches, { status: 200, body: { items: [{ kind: 'of_the_future' }] } })
})

t.test('jobs and batches of an unknown kind are left for a newer node', async (t) => {
  const service = await openService(t)
  await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    values (1, 'of_the_future', '1', '{}', now(), now())`.execute(service.db)
  t.same(await listDueKinds(service.db, JOB_KINDS), [])
  await sql.raw("alter type batch_kind add value if not exists 'of_the_future'").execute(service.db)
  const { rows } = await sql<{ id: number }>`
    insert into batches (site_id, kind, request, asked_by, asked_at, total)
    values (1, 'of_the_future', '{}', 'operator', now(), 1) returning id`.execute(service.db)
  const batchId = rows[0]!.id
  await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    values (1, 'run_batch', ${`${batchId}`}, ${JSON.stringify({ batchId })}::jsonb, now(), now())`.execute(
    service.db,
  )
  const [job] = await takeJobs(service.db, { kind: 'run_batch', limit: 1 })
  const result = await runBatch(service, job!, new AbortController().signal)
  t.match(result, { againInMs: Number })
  const { rows: left } = await sql<{ kind: string }>`select kind from jobs order by kind`.execute(
    service.db,
  )
  t.same(
    left.map(({ kind }) => kind),
    ['of_the_future', 'run_batch'],
  )
})
