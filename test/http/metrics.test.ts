import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createMetrics } from '../../src/http/edge/metrics.ts'

const POOL = { total: 1, idle: 1, waiting: 0 }
const COUNTS = [{ kind: 'run_batch', state: 'waiting', count: 2, oldestSeconds: 3 }] as const

t.test('concurrent requests for metrics share one count of the jobs', async (t) => {
  let queries = 0
  const metrics = createMetrics(() => ({
    pools: { read: POOL, write: POOL },
    pages: { hits: 0, misses: 0, bytes: 0 },
    jobs: async () => {
      queries += 1
      return COUNTS
    },
  }))
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
    const readSources = () => ({
      pools: { read: POOL, write: POOL },
      pages: { hits: 0, misses: 0, bytes: 0 },
      jobs: async () => COUNTS,
    })
    t.match(await createMetrics(readSources).print(), 'process_cpu_seconds_total')
    return new WeakRef(readSources)
  }
  const app = await createApp()
  await turn()
  collect()
  t.equal(app.deref(), undefined)
})
