import { Counter, Gauge, type Registry } from 'prom-client'
import { createOutcomeCounts, type OutcomeCounts } from '../../domain/outcome-counts.ts'

type Pool = { readonly total: number; readonly idle: number; readonly waiting: number }

type JobCount = {
  readonly kind: string
  readonly state: 'waiting' | 'running' | 'failed'
  readonly count: number
  readonly oldestSeconds: number
}

type QueueCount = { readonly site: string; readonly count: number; readonly oldestSeconds: number }

/** Reads the current values when the metrics are requested. */
export type MetricSources = () => {
  readonly pools: Readonly<Record<'read' | 'write', Pool>>
  readonly pages: { hits: number; misses: number; bytes: number }
  /** Undefined without Redis. */
  readonly isRedisReady: boolean | undefined
  readonly jobRuns: OutcomeCounts
  readonly checks: OutcomeCounts
  /** Rejects while Postgres is away. */
  readonly jobs: () => Promise<readonly JobCount[]>
  /** One for each site with pending comments. Rejects while Postgres is away. */
  readonly queues: () => Promise<readonly QueueCount[]>
}

const NO_CONNECTIONS = { total: 0, idle: 0, waiting: 0 }

/** Of a service that has done nothing. */
export const NO_SOURCES: ReturnType<MetricSources> = {
  pools: { read: NO_CONNECTIONS, write: NO_CONNECTIONS },
  pages: { hits: 0, misses: 0, bytes: 0 },
  isRedisReady: undefined,
  jobRuns: createOutcomeCounts(),
  checks: createOutcomeCounts(),
  jobs: async () => [],
  queues: async () => [],
}

type Values = readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]

type Described = { name: string; help: string; labelNames?: string[] }

/** Sites with a label of their own. */
const MAX_SITES = 20
/** No slug has parentheses. */
const OTHER_SITES = '(others)'
/** Anyone can request the metrics, and a long queue takes some milliseconds to count. */
const QUEUES_KEPT_MS = 10_000

/** Metrics whose values other parts of the service keep. */
export const addSourceMetrics = (registry: Registry, readSources: MetricSources): void => {
  const add = (
    Metric: typeof Gauge | typeof Counter,
    described: Described,
    read: (sources: ReturnType<MetricSources>) => Values | Promise<Values>,
  ) =>
    new Metric({
      ...described,
      registers: [registry],
      async collect() {
        const values = await read(readSources())
        this.reset()
        for (const [labels, value] of values) this.inc(labels, value)
      },
    })
  addPoolGauges(add)
  addPageMetrics(add)
  if (readSources().isRedisReady !== undefined) addRedisGauge(add)
  addOutcomes(add)
  addJobGauges(
    add,
    shareRuns(() =>
      readSources()
        .jobs()
        .catch(() => []),
    ),
  )
  addQueueGauges(
    add,
    shareRuns(
      () =>
        readSources()
          .queues()
          .catch(() => []),
      QUEUES_KEPT_MS,
    ),
  )
}

type Add = (
  metric: typeof Gauge | typeof Counter,
  described: Described,
  read: (sources: ReturnType<MetricSources>) => Values | Promise<Values>,
) => unknown

const addPoolGauges = (add: Add): void => {
  const addGauge = (name: string, help: string, read: (pool: Pool) => number) =>
    add(Gauge, { name, help, labelNames: ['pool'] }, ({ pools }) => [
      [{ pool: 'read' }, read(pools.read)],
      [{ pool: 'write' }, read(pools.write)],
    ])
  addGauge('afterword_postgres_connections', 'Open connections.', (pool) => pool.total)
  addGauge('afterword_postgres_idle_connections', 'Open and unused.', (pool) => pool.idle)
  addGauge('afterword_postgres_waiting', 'Requests that wait for one.', (pool) => pool.waiting)
}

const addPageMetrics = (add: Add): void => {
  add(Gauge, { name: 'afterword_page_cache_bytes', help: 'Held in this process.' }, ({ pages }) => [
    [{}, pages.bytes],
  ])
  add(
    Counter,
    { name: 'afterword_page_cache_hits_total', help: 'Pages found, since start.' },
    ({ pages }) => [[{}, pages.hits]],
  )
  add(
    Counter,
    { name: 'afterword_page_cache_misses_total', help: 'Pages built, since start.' },
    ({ pages }) => [[{}, pages.misses]],
  )
}

const addRedisGauge = (add: Add): void => {
  add(
    Gauge,
    {
      name: 'afterword_redis_up',
      help: '1 while Redis responds, 0 while it is away; absent without Redis.',
    },
    ({ isRedisReady }) => [[{}, Number(isRedisReady)]],
  )
}

const addOutcomes = (add: Add): void => {
  const valuesOf = (counts: OutcomeCounts): Values =>
    counts.list().map(({ kind, outcome, count }) => [{ kind, outcome }, count])
  add(
    Counter,
    {
      name: 'afterword_job_runs_total',
      help: 'Runs of jobs on this node, since start.',
      labelNames: ['kind', 'outcome'],
    },
    ({ jobRuns }) => valuesOf(jobRuns),
  )
  add(
    Counter,
    {
      name: 'afterword_checks_total',
      help: 'Questions of this node to external checks, since start.',
      labelNames: ['kind', 'outcome'],
    },
    ({ checks }) => valuesOf(checks),
  )
}

const addJobGauges = (add: Add, countJobs: () => Promise<readonly JobCount[]>): void => {
  add(
    Gauge,
    { name: 'afterword_jobs', help: 'Jobs of all nodes.', labelNames: ['kind', 'state'] },
    async () => (await countJobs()).map(({ kind, state, count }) => [{ kind, state }, count]),
  )
  add(
    Gauge,
    {
      name: 'afterword_jobs_oldest_due_seconds',
      help: 'How long the first waiting job has been due.',
      labelNames: ['kind'],
    },
    async () =>
      (await countJobs())
        .filter(({ state }) => state === 'waiting')
        .map(({ kind, oldestSeconds }) => [{ kind }, Math.max(0, oldestSeconds)]),
  )
}

const addQueueGauges = (add: Add, countQueues: () => Promise<readonly QueueCount[]>): void => {
  const listShown = async (): Promise<readonly QueueCount[]> => {
    const sorted = (await countQueues()).toSorted((a, b) => b.count - a.count)
    const others = sorted.slice(MAX_SITES)
    if (others.length === 0) return sorted
    const count = others.reduce((sum, one) => sum + one.count, 0)
    const oldestSeconds = Math.max(...others.map((one) => one.oldestSeconds))
    return [...sorted.slice(0, MAX_SITES), { site: OTHER_SITES, count, oldestSeconds }]
  }
  add(
    Gauge,
    {
      name: 'afterword_queue_comments',
      help: `Pending comments of the ${MAX_SITES} sites with the most, and of all others together.`,
      labelNames: ['site'],
    },
    async () => (await listShown()).map(({ site, count }) => [{ site }, count]),
  )
  add(
    Gauge,
    {
      name: 'afterword_queue_oldest_seconds',
      help: 'Age of the first pending comment.',
      labelNames: ['site'],
    },
    async () =>
      (await listShown()).map(({ site, oldestSeconds }) => [{ site }, Math.max(0, oldestSeconds)]),
  )
}

/** Concurrent callers share one run, and callers within `keptMs` after its start its result. */
const shareRuns = <T>(run: () => Promise<T>, keptMs = 0): (() => Promise<T>) => {
  let running: Promise<T> | undefined
  let begun = 0
  let isRunning = false
  return () => {
    if (running && (isRunning || performance.now() - begun < keptMs)) return running
    begun = performance.now()
    isRunning = true
    running = run().finally(() => {
      isRunning = false
    })
    return running
  }
}
