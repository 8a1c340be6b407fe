import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { sql } from 'kysely'
import t from 'tap'
import { parse } from 'yaml'
import { createOutcomeCounts } from '../../src/domain/outcome-counts.ts'
import { createMetrics } from '../../src/http/edge/metrics.ts'
import { type MetricSources, NO_SOURCES } from '../../src/http/edge/source-metrics.ts'
import { findProgram } from '../programs.ts'
import { openService } from '../service.ts'

const create = (sources: Partial<ReturnType<MetricSources>> = {}) =>
  createMetrics({ version: '1.2.3', sources: () => ({ ...NO_SOURCES, ...sources }) })

const PROMETHEUS = join(import.meta.dirname, '../../deploy/prometheus')
const promtool = findProgram('promtool')
const skipWithoutPromtool = promtool ? false : 'there is no promtool'
const COUNTS = [{ kind: 'run_batch', state: 'waiting', count: 2, oldestSeconds: 3 }] as const

t.test('concurrent requests for metrics share one count of the jobs', async (t) => {
  let queries = 0
  const metrics = create({
    jobs: async () => {
      queries += 1
      return COUNTS
    },
  })
  const texts = await Promise.all([metrics.print(), metrics.print(), metrics.print()])
  for (const text of texts) {
    t.match(text, 'afterword_jobs{kind="run_batch",state="waiting"} 2')
    t.match(text, 'afterword_jobs_oldest_due_seconds{kind="run_batch"} 3')
  }
  t.equal(queries, 1)
  await metrics.print()
  t.equal(queries, 2)
})

t.test('the metrics of an app keep nothing of it in memory', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const createApp = async () => {
    const sources = () => ({ ...NO_SOURCES, jobs: async () => COUNTS })
    t.match(await createMetrics({ version: '1.2.3', sources }).print(), 'process_cpu_seconds_total')
    return new WeakRef(sources)
  }
  const app = await createApp()
  await turn()
  collect()
  t.equal(app.deref(), undefined)
})

t.test('counters alone end in _total, and histograms reach the time-outs', async (t) => {
  const text = await create().print()
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => ({
    name,
    type,
  }))
  t.ok(types.length > 30)
  t.same(
    types.filter(({ name, type }) => (type === 'counter') !== name!.endsWith('_total')),
    [],
  )
  t.match(text, 'afterword_build_info{version="1.2.3",node="v')
  const observed = create()
  observed.observe('getThread', 200, 12)
  t.match(
    await observed.print(),
    /duration_seconds_bucket\{le="30",operation="getThread",status="200"\} 1/,
  )
})

t.test('metrics show Redis, and the outcomes of jobs and checks', async (t) => {
  t.notMatch(await create().print(), /^afterword_redis_up /m)
  t.match(await create({ isRedisReady: false }).print(), /^afterword_redis_up 0$/m)
  t.match(await create({ isRedisReady: true }).print(), /^afterword_redis_up 1$/m)
  const jobRuns = createOutcomeCounts()
  jobRuns.add('run_batch', 'done')
  jobRuns.add('run_batch', 'done')
  jobRuns.add('run_batch', 'given_up')
  const checks = createOutcomeCounts()
  checks.add('akismet', 'failed')
  const text = await create({ jobRuns, checks }).print()
  t.match(text, 'afterword_job_runs_total{kind="run_batch",outcome="done"} 2')
  t.match(text, 'afterword_job_runs_total{kind="run_batch",outcome="given_up"} 1')
  t.match(text, 'afterword_checks_total{kind="akismet",outcome="failed"} 1')
})

t.test('metrics show the queue of each site, counted at most every ten seconds', async (t) => {
  const service = await openService(t)
  const token = service.adminKey
  for (const slug of ['blog', 'empty'])
    await service.call('POST', '/v1/sites', { token, body: { slug, name: slug } })
  await service.call('PATCH', '/v1/sites/blog', { token, body: { moderation: 'pre' } })
  for (const body of ['one', 'two'])
    await service.call('POST', '/v1/sites/blog/articles/a/comments', {
      body: { body, author: { name: 'Ada' } },
    })
  await sql`update comments set created_at = now() - interval '1 hour' where id = 1`.execute(
    service.db,
  )
  const read = async () => (await service.call('GET', '/metrics')).text
  const text = await read()
  t.match(text, /^afterword_queue_comments\{site="blog"\} 2$/m)
  t.match(text, /^afterword_queue_oldest_seconds\{site="blog"\} 36\d\d/m)
  t.notMatch(text, 'site="empty"')
  await sql`delete from comment_tallies`.execute(service.db)
  t.match(await read(), 'afterword_queue_comments{site="blog"} 2')
})

t.test('sites without a label of their own count as one', async (t) => {
  const queues = async () =>
    Array.from({ length: 1_000 }, (_, n) => ({ site: `s${n}`, count: n, oldestSeconds: 1_000 - n }))
  const text = await create({ queues }).print()
  const lines = text.match(/^afterword_queue_comments\{.*$/gm)!
  t.equal(lines.length, 21)
  t.equal(lines[0], 'afterword_queue_comments{site="s999"} 999')
  t.equal(lines[20], `afterword_queue_comments{site="(others)"} ${(979 * 980) / 2}`)
  t.match(text, 'afterword_queue_oldest_seconds{site="(others)"} 1000')
})

t.test('promtool finds no fault in the metrics', { skip: skipWithoutPromtool }, async (t) => {
  const service = await openService(t)
  await service.post('a', 'text')
  const { text } = await service.call('GET', '/metrics')
  const found = execFileSync(promtool!, ['check', 'metrics'], { input: text, encoding: 'utf8' })
  t.equal(found, '')
})

t.test('the alerts name only metrics that the service has', async (t) => {
  const { groups } = parse(readFileSync(join(PROMETHEUS, 'alerts.yaml'), 'utf8'))
  const rules = groups.flatMap((group: any) => group.rules)
  const known = new Set(
    (await create({ isRedisReady: true }).print())
      .match(/^# TYPE \w+/gm)!
      .map((line) => line.slice(7)),
  )
  const named = rules.flatMap(
    ({ expr }: any) => expr.match(/\b(?:afterword|nodejs|process)_\w+/g) ?? [],
  )
  t.ok(named.length > 8)
  t.same(
    named.filter((name: string) => !known.has(name.replace(/_(bucket|count|sum)$/, ''))),
    [],
  )
  const monitoring = readFileSync(join(PROMETHEUS, '../../docs/monitoring.md'), 'utf8')
  for (const { alert, annotations } of rules) {
    t.ok(monitoring.includes(`| \`${alert}\` |`), `${alert} is documented`)
    t.ok(annotations.summary)
  }
})

t.test(
  'promtool accepts the alerts, and they fire when they must',
  { skip: skipWithoutPromtool },
  async (t) => {
    const run = (...args: string[]) =>
      execFileSync(promtool!, args, { cwd: PROMETHEUS, encoding: 'utf8', stdio: 'pipe' })
    t.match(run('check', 'rules', '--lint=all', '--lint-fatal', 'alerts.yaml'), 'SUCCESS')
    t.match(run('test', 'rules', 'alerts.test.yaml'), 'SUCCESS')
  },
)
