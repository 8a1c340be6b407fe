import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '../../src/config.ts'
import { type Bench, startService, using } from '../bench.ts'
import { sayAutocannon } from '../compare.ts'
import { atMost, say, slopeOf } from '../figures.ts'
import { type Ask, assertStatus, type Job } from '../load/trial.ts'
import { articlesOf, threadPath, wholePages } from '../pages.ts'
import { createRandom, shuffle } from '../random.ts'
import type { Row } from '../row.ts'
import { readMetric } from '../servers/metrics.ts'
import { proportionalBytes, type Running, residentBytes } from '../servers/processes.ts'

const MEGABYTE = 1e6
const CONNECTIONS = 20
const SAMPLE_MS = 500
const ENCODINGS = ['identity', 'gzip', 'br']
/** More pages than the cache holds, but few enough that each is requested again. */
const PAGES = 6_000
const FILL_MS = 60_000
const FILL_STEP_SECONDS = 3
/** The share of `AFTERWORD_CACHE_BYTES` that pages fill. */
const FULL = 0.85
const BUDGET = readConfig({}).AFTERWORD_CACHE_BYTES
/** The allowed growth of the memory in the second half of the measurement. */
const FLAT = 0.05

type Sample = readonly [seconds: number, bytes: number]

const takePages = (articles: readonly number[]): Ask[] =>
  [...wholePages(articles).take(PAGES)].map((path, n) => ({
    path,
    headers: { 'accept-encoding': ENCODINGS[n % ENCODINGS.length]! },
  }))

const sampleMemory = async ({ pid }: Running, signal: AbortSignal): Promise<Sample[]> => {
  const samples: Sample[] = []
  const begun = performance.now()
  while (!signal.aborted) {
    samples.push([(performance.now() - begun) / 1000, residentBytes(pid)])
    await sleep(SAMPLE_MS, undefined, { signal }).catch(() => {})
  }
  return samples
}

/** Reads until the cache is full. This part is not measured. */
const fill = async ({ load }: Bench, job: Omit<Job, 'seconds'>): Promise<void> => {
  const begun = performance.now()
  while (performance.now() - begun < FILL_MS && (await cachedBytes(job.url)) < FULL * BUDGET)
    assertStatus(await load.run({ ...job, seconds: FILL_STEP_SECONDS }), 200)
}

const cachedBytes = async (url: string): Promise<number> =>
  (await readMetric(url, 'afterword_page_cache_bytes')) ?? 0

/** The largest resident memory of a loaded service whose page cache is full. */
export const MEMORY: Row = {
  lines: [
    {
      row: 'resident memory under read load, the default cache budget full',
      against: '',
      goal: atMost(180),
    },
  ],
  run: (bench) =>
    using([() => startService(bench, bench.big)], async (service) => {
      const asks = takePages(shuffle(articlesOf(bench.big), createRandom(11)))
      const job = { url: service!.url, connections: CONNECTIONS, asks }
      const idle = residentBytes(service!.pid)
      await fill(bench, job)
      const end = new AbortController()
      const sampled = sampleMemory(service!, end.signal)
      const soak = bench.load.run({ ...job, seconds: bench.soakSeconds })
      const trial = await soak.finally(() => end.abort())
      assertStatus(trial, 200)
      const cached = await cachedBytes(service!.url)
      const parts = await describeParts(service!)
      const course = courseOf(await sampled)
      const faults = [
        ...(cached >= FULL * BUDGET ? [] : ['The budget was not full.']),
        ...(course.growth > FLAT ? ['It grows.'] : []),
      ]
      const pages = `'${threadPath(0, 'limit=100&depth=…&replies=…').replace('/0/', '/N/')}'`
      return [
        {
          value: course.most / MEGABYTE,
          low: course.least / MEGABYTE,
          high: course.most / MEGABYTE,
          unit: 'MB',
          command: sayAutocannon(CONNECTIONS, bench.soakSeconds, pages),
          note: [
            ...faults,
            `${say(cached / MEGABYTE)} MB of pages at the end, after ${trial.answers} answers from`,
            `${asks.length} pages in three encodings; in the last half`,
            `${say((course.slope * 60) / MEGABYTE)} MB a minute. ${say(idle / MEGABYTE)} MB after the start.`,
            parts,
          ].join(' '),
          ...(faults.length > 0 && { holds: false }),
        },
      ]
    }),
}

/** Where the memory is at the end. What is in neither part is code, stacks, and memory that malloc keeps. */
const describeParts = async ({ url, pid }: Running): Promise<string> => {
  const [used, total, external] = await Promise.all(
    ['heap_size_used', 'heap_size_total', 'external_memory'].map(
      async (name) => (await readMetric(url, `nodejs_${name}_bytes`)) ?? Number.NaN,
    ),
  )
  const [pss, resident] = [proportionalBytes(pid), residentBytes(pid)]
  const inMegabytes = (bytes: number) => `${say(bytes / MEGABYTE)} MB`
  return [
    `At the end ${inMegabytes(resident)} resident (PSS ${inMegabytes(pss)}):`,
    `heap ${inMegabytes(total!)} with ${inMegabytes(used!)} in use, external ${inMegabytes(external!)},`,
    `other ${inMegabytes(resident - total! - external!)}.`,
  ].join(' ')
}

/** The largest sample, and the growth within the second half of the samples. */
const courseOf = (samples: readonly Sample[]) => {
  const half = samples.slice(Math.floor(samples.length / 2))
  const most = Math.max(...samples.map(([, bytes]) => bytes))
  const slope = slopeOf(half)
  const seconds = half.at(-1)![0] - half[0]![0]
  const least = Math.min(...half.map(([, bytes]) => bytes))
  return { most, least, slope, growth: (slope * seconds) / most }
}
