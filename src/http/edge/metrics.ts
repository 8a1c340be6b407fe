import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { addSourceMetrics, type MetricSources } from './source-metrics.ts'

export type Metrics = {
  readonly observe: (operation: string, status: number, seconds: number) => void
  /** Counts an answer to a known request. */
  readonly countKnown: () => void
  readonly print: () => Promise<string>
  readonly contentType: string
}

/** The last three are the time-outs of a statement, of a write, and of a connection without traffic. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Gauges of prom-client with the names of counters. The same numbers by kind stay. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

/** The metrics of the process, however many apps it builds: prom-client never ends their observers. */
let processMetrics: Registry | undefined

const observeProcess = (): Registry => {
  if (processMetrics) return processMetrics
  processMetrics = new Registry()
  collectDefaultMetrics({ register: processMetrics })
  for (const name of MISNAMED) processMetrics.removeSingleMetric(name)
  return processMetrics
}

export const createMetrics = ({
  version,
  sources,
}: {
  version: string
  sources: MetricSources
}): Metrics => {
  const ofProcess = observeProcess()
  const registry = new Registry()
  new Gauge({
    name: 'afterword_build_info',
    help: 'Always 1.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.version }, 1)
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
  addSourceMetrics(registry, sources)
  return {
    observe: (operation, status, seconds) => duration.observe({ operation, status }, seconds),
    countKnown: () => known.inc(),
    print: async () => `${await ofProcess.metrics()}\n${await registry.metrics()}`,
    contentType: registry.contentType,
  }
}
