import { type Bench, type Database, startForgetful, using } from '../bench.ts'
import { atMost, say } from '../figures.ts'
import { type Asked, compareLatency } from '../latency.ts'
import { articlesOf, countComments, RECENT, threadPath, WHOLE, walkRecent } from '../pages.ts'
import { createRandom, shuffle } from '../random.ts'
import type { Figure, Row } from '../row.ts'
import { sendWell } from '../servers/http.ts'
import { readMetric } from '../servers/metrics.ts'
import type { Running } from '../servers/processes.ts'

const LARGE = 50_000
const ARTICLE = 77
/** The number of requests per side and round. */
const REQUESTS = 30
const MISSES = 'afterword_page_cache_misses_total'
const COLD =
  'AFTERWORD_CACHE_BYTES=0, no Redis, one connection for each side: nothing is remembered'

const always = (url: string): Asked => ({ next: () => url })

/** Repeats the items in turn. */
const inTurn = (urls: readonly string[]): Asked => {
  let turn = 0
  return { next: () => urls[turn++ % urls.length]! }
}

/** @throws Error if the service built fewer pages than requested */
const assertBuilt = async (service: Running, asked: number, act: () => Promise<void>) => {
  const before = await readMetric(service.url, MISSES)
  await act()
  const after = await readMetric(service.url, MISSES)
  if (before === undefined || after === undefined) throw new Error(`${MISSES} is gone`)
  if (after - before < asked)
    throw new Error(`only ${after - before} of ${asked} pages were built: the others were cached`)
}

type Compared = Awaited<ReturnType<typeof compareLatency>>

const compareThreads = async (bench: Bench, service: Running, query: string): Promise<Compared> => {
  const { rounds, big } = bench
  const urlOf = (article: number) => `${service.url}${threadPath(article, query)}`
  const large = always(urlOf(big.largeArticles[LARGE]!))
  let compared: Compared | undefined
  // The warm-up round builds pages too.
  await assertBuilt(service, 2 * REQUESTS * (rounds + 1), async () => {
    compared = await compareLatency(large, always(urlOf(ARTICLE)), { rounds, requests: REQUESTS })
  })
  return compared!
}

const sayMedians = ({ medians: [ours, theirs] }: Compared) => `${say(ours)} ms to ${say(theirs)} ms`

const SORTS = ['newest', 'oldest', 'top', 'best', 'hot', 'controversial', 'active']

export const LARGE_ROOTS: Row = {
  lines: [
    {
      row: '50,000-comment thread, depth=1, the slowest of 7 sorts, cold',
      against: 'a thread of 100, the same request; medians',
      goal: atMost(1.2),
    },
  ],
  run: (bench) =>
    using([() => startForgetful(bench, bench.big)], async (service) => {
      const compared: { sort: string; one: Compared }[] = []
      for (const sort of SORTS) {
        const one = await compareThreads(bench, service!, `depth=1&sort=${sort}`)
        compared.push({ sort, one })
      }
      const worst = compared.toSorted((a, b) => b.one.ratio.value - a.one.ratio.value)[0]!
      const each = compared.map(({ sort, one }) => `${sort} ${say(one.ratio.value)}`).join(', ')
      const note = `${worst.sort}: ${sayMedians(worst.one)}. ${each}. ${COLD}.`
      const command = `GET ${threadPath(0, 'depth=1&sort=…').replace('/0/', '/N/')}`
      return [{ ...worst.one.ratio, command, note }]
    }),
}

export const LARGE_TREE: Row = {
  lines: [
    {
      row: '50,000-comment thread, default depth, cold',
      against: 'a thread of 100, the same request; medians, for each comment returned',
      goal: atMost(1.3),
    },
  ],
  run: (bench) =>
    using([() => startForgetful(bench, bench.big)], async (service) => {
      const countOf = async (article: number) => {
        const { body } = await sendWell(`${service!.url}${threadPath(article, '')}`)
        return countComments(JSON.parse(body.toString()))
      }
      const [large, small] = [
        await countOf(bench.big.largeArticles[LARGE]!),
        await countOf(ARTICLE),
      ]
      const compared = await compareThreads(bench, service!, '')
      const { value, low, high } = compared.ratio
      const share = small / large
      return [
        {
          value: value * share,
          low: low * share,
          high: high * share,
          command: `GET ${threadPath(0, '').replace('/0/', '/N/')}`,
          note: `${sayMedians(compared)}, for ${large} and ${small} comments. ${COLD}.`,
        },
      ]
    }),
}

const PAGES = 500

const compareDatabases = async (
  { rounds }: Bench,
  [big, small]: readonly [Asked, Asked],
  command: string,
): Promise<Figure> => {
  const compared = await compareLatency(big, small, { rounds, requests: REQUESTS })
  return { ...compared.ratio, command, note: `${sayMedians(compared)}. ${COLD}.` }
}

const wholeThreads = ({ url }: Running, database: Database): Asked => {
  const articles = shuffle(articlesOf(database), createRandom(8)).slice(0, PAGES)
  return inTurn(articles.map((article) => `${url}${threadPath(article, WHOLE)}`))
}

const recentPages = async ({ url }: Running): Promise<Asked> => {
  const paths = await walkRecent(url, PAGES)
  return inTurn(shuffle(paths, createRandom(9)).map((path) => `${url}${path}`))
}

export const SITE_SIZE: Row = {
  lines: [
    {
      row: 'thread of 100 on a site of 1 M comments',
      against: 'the same on a site of 10 k; medians',
      goal: atMost(1.5),
    },
    {
      row: 'recent 20 on a site of 1 M comments',
      against: 'the same on a site of 10 k; medians',
      goal: atMost(1.2),
    },
  ],
  run: (bench) =>
    using(
      [() => startForgetful(bench, bench.big), () => startForgetful(bench, bench.small)],
      async (big, small) => {
        const threads = [wholeThreads(big!, bench.big), wholeThreads(small!, bench.small)] as const
        const recents = [await recentPages(big!), await recentPages(small!)] as const
        const path = threadPath(0, WHOLE).replace('/0/', '/N/')
        const size = bench.big.comments === 1_000_000 ? '' : ` Not 1 M but ${bench.big.comments}.`
        const figures = [
          await compareDatabases(bench, threads, `GET ${path}`),
          await compareDatabases(bench, recents, `GET ${RECENT}&cursor=…`),
        ]
        return figures.map((figure) => ({ ...figure, note: figure.note + size }))
      },
    ),
}
