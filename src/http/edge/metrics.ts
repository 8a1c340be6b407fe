import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

type Pool = { readonly total: number; readonly idle: number; readonly waiting: number }

type JobCount = {
  readonly kind: string
  readonly state: 'waiting' | 'running' | 'failed'
  readonly count: number
  readonly oldestSeconds: number
}

/** Values that are read for each scrape. */
export type MetricSources = () => {
  readonly pools: Readonly<Record<'read' | 'write', Pool>>
  readonly pages: { hits: number; misses: number; bytes: number }
  /** Rejects while Postgres is away. */
  readonly jobs: () => Promise<readonly JobCount[]>
}

type ReadJobs = (counts: readonly JobCount[]) => [Record<string, string>, number][]

export type Metrics = {
  readonly observe: (operation: string, status: number, seconds: number) => void
  readonly print: () => Promise<string>
  readonly contentType: string
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

export const createMetrics = (figures: MetricSources): Metrics => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const duration = new Histogram({
    name: 'afterword_request_duration_seconds',
    help: 'Time from the headers of a request to the last byte of its answer.',
    labelNames: ['operation', 'status'],
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  })
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  const poolGauge = (name: string, help: string, read: (pool: Pool) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers: [registry],
      collect() {
        const { pools } = figures()
        this.set({ pool: 'read' }, read(pools.read))
        this.set({ pool: 'write' }, read(pools.write))
      },
    })
  poolGauge('afterword_postgres_connections', 'Open connections.', (pool) => pool.total)
  poolGauge('afterword_postgres_idle_connections', 'Open and unused.', (pool) => pool.idle)
  poolGauge('afterword_postgres_waiting', 'Requests that wait for one.', (pool) => pool.waiting)
  gauge('afterword_page_cache_bytes', 'Held in this process.', () => figures().pages.bytes)
  gauge('afterword_page_cache_hits', 'Pages found, since start.', () => figures().pages.hits)
  gauge('afterword_page_cache_misses', 'Pages built, since start.', () => figures().pages.misses)
  const jobGauge = (name: string, help: string, labelNames: string[], read: ReadJobs) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        this.reset()
        const counts = await figures()
          .jobs()
          .catch(() => [])
        for (const [labels, value] of read(counts)) this.set(labels, value)
      },
    })
  jobGauge('afterword_jobs', 'Jobs of all nodes.', ['kind', 'state'], (counts) =>
    counts.map(({ kind, state, count }) => [{ kind, state }, count]),
  )
  jobGauge(
    'afterword_jobs_oldest_due_seconds',
    'How long the first waiting job has been due.',
    ['kind'],
    (counts) =>
      counts
        .filter(({ state }) => state === 'waiting')
        .map(({ kind, oldestSeconds }) => [{ kind }, Math.max(0, oldestSeconds)]),
  )
  return {
    observe: (operation, status, seconds) => duration.observe({ operation, status }, seconds),
    print: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
