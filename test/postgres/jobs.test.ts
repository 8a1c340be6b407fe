import pg from 'pg'
import t from 'tap'
import { createDb } from '../../src/postgres/connection/db.ts'
import { listDueKinds, takeJobs } from '../../src/postgres/jobs/jobs.ts'
import { createDatabase } from '../servers.ts'
import { explain } from './explaining.ts'

/** Some of them were given up, and a few are due. */
const WAITING = 10_000

t.test('due jobs are found by their index among 10,000 that wait', async (t) => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at, failed_at)
    select 1, kind, n, '{}', now(), now() + make_interval(secs => n),
      case when n % 10 = 9 then now() end
    from generate_series(-3, ${WAITING}) n, unnest('{report_decision,run_batch}'::text[]) kind
    where kind = 'report_decision' or n > 100`)
  await client.query('analyze jobs')
  await client.end()
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  const looks = {
    listDueKinds: () =>
      explain(db, (asked) => listDueKinds(asked, ['run_batch', 'report_decision']), 'jobs'),
    listNone: () => explain(db, (asked) => listDueKinds(asked, ['run_batch']), 'jobs'),
    takeJobs: () =>
      explain(db, (asked) => takeJobs(asked, { kind: 'report_decision', limit: 20 }), 'jobs'),
  }
  for (const [name, look] of Object.entries(looks)) {
    const { nodes, rows } = await look()
    t.ok(
      nodes.some((node) => node['Index Name'] === 'jobs_due'),
      name,
    )
    t.notOk(
      nodes.some((node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] === 'jobs'),
    )
    t.ok(rows <= 20, `${name} reads ${rows} rows`)
  }
})
