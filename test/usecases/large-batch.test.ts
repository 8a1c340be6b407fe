import { sql } from 'kysely'
import t from 'tap'
import { runJobs } from '../jobs.ts'
import { recount } from '../recount.ts'
import { openService } from '../service.ts'
import { FILL_TALLIES } from '../tallies.ts'
import { runStatements, testLargeBatch } from './large-batch.ts'

type Json = Record<string, any>

testLargeBatch({ comments: 2_000, threads: 50 })

t.test('a batch continues where it was left, and never runs twice at the same time', async (t) => {
  const service = await openService(t)
  await runStatements(
    service.url,
    `insert into authors (site_id, name) values (1, 'Ada');
    insert into threads (site_id, article_id) select 1, n from generate_series(1, 7) n;
    insert into comments (site_id, thread_id, author_id, status, created_at, body, body_html,
      renderer)
    select 1, 1 + n % 7, 1, 'pending', now(), 'y', '<p>y</p>', 1
    from generate_series(1, 5500) n;
    ${FILL_TALLIES};
    insert into batches (site_id, kind, request, asked_by, asked_at, total)
    values (1, 'decide', '{"to": "approved", "reason": null, "note": null, "replies": "keep"}', 'k1',
      now(), 5500);
    insert into batch_items (site_id, batch_id, thread_id, comment_id, place, seen)
    select 1, b.id, c.thread_id, c.id, 0, 'pending' from batches b, comments c;
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    select 1, 'run_batch', id, jsonb_build_object('batchId', id), now(), now() from batches`,
  )
  const idle = { ...service, kick: () => {} }
  const looks = [false, false]
  const afterOneStep = {
    get aborted() {
      return looks.shift() ?? true
    },
  } as AbortSignal
  await runJobs(idle, 'run_batch', afterOneStep)
  const left = await sql<Json>`select done, ended_at from batches`.execute(service.db)
  t.same(left.rows, [{ done: 5000, endedAt: null }])
  const never = new AbortController().signal
  await Promise.all([1, 2, 3].map(() => runJobs(idle, 'run_batch', never)))
  await runJobs(idle, 'run_batch', never)
  const { rows } = await sql<Json>`
    select b.done, b.changed, b.ended_at is not null as ended,
      (select count(*) from decisions where batch_id = b.id) as decisions from batches b`.execute(
    service.db,
  )
  t.same(rows, [{ done: 5500, changed: 5500, ended: true, decisions: 5500 }])
  t.same(await recount(service.db), [])
})
