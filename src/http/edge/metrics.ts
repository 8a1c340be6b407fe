import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

type Pool = { readonly total: number; readonly idle: number; readonly waiting: number }

type JobCount = {
  readonly kind: string
  readonly state: 'waiting' | 'running' | 'failed'
  readonly count: number
  readonly oldestSeconds: number
}

/** Reads the current values when the metrics are requested. */
export type MetricSources = () => {
  readonly pools: Readonly<Record<'read' | 'write', Pool>>
  readonly pages: { hits: number; misses: number; bytes: number }
  /** Rejects while Postgres is away. */
  readonly jobs: () => Promise<readonly JobCount[]>
}

export type Metrics = {
  readonly observe: (operation: string, status: number, seconds: number) => void
  /** Counts an answer to a known request. */
  readonly countKnown: () => void
  readonly print: () => Promise<string>
  readonly contentType: string
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** The metrics of the process, however many apps it builds: prom-client never ends their observers. */
let processMetrics: Registry | undefined

const observeProcess = (): Registry => {
  if (processMetrics) return processMetrics
  processMetrics = new Registry()
  collectDefaultMetrics({ register: processMetrics })
  return processMetrics
}

export const createMetrics = (readSources: MetricSources): Metrics => {
  const ofProcess = observeProcess()
  const registry = new Registry()
  const duration = new Histogram({
    name: 'afterword_request_duration_seconds',
    help: 'Time from the headers of a request to the last byte of its answer.',
    labelNames: ['operation', 'status'],
    buckets: BUCKETS_SECONDS,
    registers: [registry],
  })
  const known = new Counter({
    name: 'afterword_known_requests_total',
    help: 'Answers to requests that repeat an earlier read, since start.',
    registers: [registry],
  })
  addPoolGauges(registry, readSources)
  addPageMetrics(registry, readSources)
  addJobGauges(registry, readSources)
  return {
    observe: (operation, status, seconds) => duration.observe({ operation, status }, seconds),
    countKnown: () => known.inc(),
    print: async () => `${await ofProcess.metrics()}\n${await registry.metrics()}`,
    contentType: registry.contentType,
  }
}

const addPoolGauges = (registry: Registry, readSources: MetricSources): void => {
  const add = (name: string, help: string, read: (pool: Pool) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers: [registry],
      collect() {
        const { pools } = readSources()
        this.set({ pool: 'read' }, read(pools.read))
        this.set({ pool: 'write' }, read(pools.write))
      },
    })
  add('afterword_postgres_connections', 'Open connections.', (pool) => pool.total)
  add('afterword_postgres_idle_connections', 'Open and unused.', (pool) => pool.idle)
  add('afterword_postgres_waiting', 'Requests that wait for one.', (pool) => pool.waiting)
}

const addPageMetrics = (registry: Registry, readSources: MetricSources): void => {
  new Gauge({
    name: 'afterword_page_cache_bytes',
    help: 'Held in this process.',
    registers: [registry],
    collect() {
      this.set(readSources().pages.bytes)
    },
  })
  const addCounter = (name: string, help: string, key: 'hits' | 'misses') =>
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset()
        this.inc(readSources().pages[key])
      },
    })
  addCounter('afterword_page_cache_hits_total', 'Pages found, since start.', 'hits')
  addCounter('afterword_page_cache_misses_total', 'Pages built, since start.', 'misses')
}

type ReadJobs = (counts: readonly JobCount[]) => [Record<string, string>, number][]

const addJobGauges = (registry: Registry, readSources: MetricSources): void => {
  const countJobs = shareRuns(() =>
    readSources()
      .jobs()
      .catch(() => []),
  )
  const add = (name: string, help: string, labelNames: string[], read: ReadJobs) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const counts = await countJobs()
        this.reset()
        for (const [labels, value] of read(counts)) this.set(labels, value)
      },
    })
  add('afterword_jobs', 'Jobs of all nodes.', ['kind', 'state'], (counts) =>
    counts.map(({ kind, state, count }) => [{ kind, state }, count]),
  )
  add(
    'afterword_jobs_oldest_due_seconds',
    'How long the first waiting job has been due.',
    ['kind'],
    (counts) =>
      counts
        .filter(({ state }) => state === 'waiting')
        .map(({ kind, oldestSeconds }) => [{ kind }, Math.max(0, oldestSeconds)]),
  )
}

/** Anyone can request the metrics: all gauges and all concurrent requests share one query. */
const shareRuns = <T>(run: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<T> | undefined
  return () => {
    running ??= run().finally(() => {
      running = undefined
    })
    return running
  }
}
